"""Databases on a PostgreSQL server, embedded or named by ``DATABASE_URL``: made and dropped by us."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

import pg8000.native

DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class DatabaseUrlError(ValueError):
    """A ``DATABASE_URL`` that cannot be used; the message says what is allowed."""


def connect(url: str, timeout_seconds: float = 10) -> Any:
    """A pg8000 connection to ``postgresql://user[:password]@[host][:port]/name[?host=<socket folder>]``.

    Raises:
        DatabaseUrlError: not such a URL.
        pg8000.exceptions.InterfaceError: the server cannot be reached.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise DatabaseUrlError(f"DATABASE_URL begins with {parts.scheme or url!r}; postgresql://… is allowed")
    folder = parse_qs(parts.query).get("host", [""])[0]
    port = parts.port or 5432
    return pg8000.native.Connection(
        unquote(parts.username or getpass.getuser()),
        host=parts.hostname or "localhost",
        port=port,
        unix_sock=f"{folder}/.s.PGSQL.{port}" if folder else None,
        database=unquote(parts.path.lstrip("/")) or "postgres",
        password=unquote(parts.password) if parts.password else None,
        timeout=timeout_seconds,
    )


@contextmanager
def session(url: str) -> Iterator[Any]:
    """A connection that is closed at the end."""
    with closing(connect(url)) as connection:
        yield connection


def url_of(admin_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(admin_url)._replace(path="/" + quote(name)))


def create_database(admin_url: str, name: str, template: str = "template0") -> str:
    """Make a database, a copy of `template` to which nobody is connected; returns its URL."""
    _check(name)
    _check(template)
    with session(admin_url) as connection:
        connection.run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' STRATEGY wal_log")
    return url_of(admin_url, name)


def drop_database(admin_url: str, name: str) -> None:
    """Drop a database of ours, ending the sessions that are still open in it."""
    _check(name)
    with session(admin_url) as connection:
        connection.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _check(name: str) -> None:
    if not DATABASE_NAME.fullmatch(name):
        raise DatabaseUrlError(f"{name!r} cannot name a database: a letter, then a-z, 0-9 and _ are allowed")
