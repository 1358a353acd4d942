"""Databases on a PostgreSQL server, embedded or named by ``DATABASE_URL``: made and dropped by us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from dicom_ingest.db.server.connection import Connection, connect

DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class DatabaseNameError(ValueError):
    """A name that would need quoting; the message says what is allowed."""


@contextmanager
def session(url: str) -> Iterator[Connection]:
    """A connection that is closed at the end; see ``db.connection`` for URLs and errors."""
    connection = connect(url)
    try:
        yield connection
    finally:
        connection.close()


def url_of(admin_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(admin_url)._replace(path=f"/{_checked(name)}"))


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    credentials, at, place = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{':***' if colon else ''}{at}{place}"))


def create_database(admin_url: str, name: str, template: str = "template0") -> str:
    """Make a database, a copy of `template`, which must have no connections; returns its URL."""
    statement = f"CREATE DATABASE {_checked(name)} TEMPLATE {_checked(template)} ENCODING 'UTF8'"
    with session(admin_url) as connection:
        connection.run(statement)
    return url_of(admin_url, name)


def drop_database(admin_url: str, name: str) -> None:
    """Drop a database of the run, ending the sessions that are still open in it."""
    with session(admin_url) as connection:
        connection.run(f"DROP DATABASE IF EXISTS {_checked(name)} WITH (FORCE)")


def _checked(name: str) -> str:
    if not DATABASE_NAME.fullmatch(name):
        raise DatabaseNameError(f"{name!r} cannot name a database: a letter, then a-z, 0-9 and _ are allowed")
    return name
