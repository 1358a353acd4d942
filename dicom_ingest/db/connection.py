"""One connection per Lambda environment: reused, checked by use, verified when remote."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from dicom_ingest.errors import DatabaseAwayError, DatabaseConflictError
from dicom_ingest.settings import settings

RESUME_SECONDS = 45
"""A paused Aurora answers after 15 to 30 s: wait that long for a connection."""

CONFLICTS = frozenset({"40001", "40P01", "55P03"})  # serialisation failure, deadlock, lock time-out
AWAY = ("57P", "08", "53", "28P01")  # shut down or starting, connection, too many connections, rotated secret


def connect(url: str) -> Connection:
    """Open a connection to ``postgresql://user[:password]@host[:port]/name[?options]``.

    Options: `host` a folder with the server's unix socket; `auth` iam or secret (then `secret_arn`);
    `sslmode` verify-full (the default unless local) or disable.

    Raises:
        DatabaseAwayError: nobody answers, or the server refuses for now.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    arguments: dict[str, Any] = {
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.removeprefix("/"),
        "timeout": RESUME_SECONDS,
        "application_name": "dicom-ingest",
    }
    folder = options.get("host")
    if folder:
        arguments["unix_sock"] = f"{folder}/.s.PGSQL.{parts.port or 5432}"
    else:
        arguments["host"] = parts.hostname or "localhost"
        arguments["port"] = parts.port or 5432
        if options.get("sslmode", "verify-full") != "disable":
            arguments["ssl_context"] = _verified_tls()
    if options.get("auth") in ("iam", "secret"):
        arguments.update(_credentials(options, arguments))
    with translated_errors():
        try:
            raw = pg8000.native.Connection(**arguments)
        except OSError as error:
            raise DatabaseAwayError(f"{arguments.get('host', folder)}: {error}") from error
    connection = Connection(raw)
    # A Lambda's own time-out must never leave a lock behind it.
    connection.run("SET statement_timeout = '55s'")
    connection.run("SET lock_timeout = '10s'")
    return connection


def _verified_tls() -> ssl.SSLContext:
    """pg8000's default context verifies nothing; RDS's roots travel with the layer."""
    bundle = Path(__file__).with_name("global-bundle.pem")
    return ssl.create_default_context(cafile=str(bundle) if bundle.exists() else None)


def _credentials(options: dict[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    # Imported here: a local run needs neither.
    from dicom_ingest import clients

    if options["auth"] == "iam":
        return {"password": clients.database_token(arguments["host"], arguments["port"], arguments["user"])}
    return clients.database_secret(options["secret_arn"])


@contextmanager
def translated_errors() -> Iterator[None]:
    """pg8000's errors as ours, where trying again helps; others pass."""
    try:
        yield
    except DatabaseError as error:
        code = str(error.args[0].get("C", "")) if error.args and isinstance(error.args[0], dict) else ""
        if code in CONFLICTS:
            raise DatabaseConflictError(f"{code}: {error.args[0].get('M')}") from error
        if code.startswith(AWAY):
            raise DatabaseAwayError(f"{code}: {error.args[0].get('M')}") from error
        raise
    except InterfaceError as error:
        raise DatabaseAwayError(str(error)) from error
    except (ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise DatabaseAwayError(f"{type(error).__name__}: {error}") from error


class Connection:
    """A connection whose rows are mappings by column name, and whose errors are ours."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.statements = 0
        """How many were run: tests count them."""

    def run(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run one statement with :named parameters; its rows."""
        self.statements += 1
        with translated_errors():
            rows = self._raw.run(sql, **parameters)
        if rows is None or self._raw.columns is None:
            return []
        names = [column["name"] for column in self._raw.columns]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def one(self, sql: str, **parameters: Any) -> dict[str, Any] | None:
        """The only row, or None."""
        rows = self.run(sql, **parameters)
        if len(rows) > 1:
            raise AssertionError(f"{len(rows)} rows where one was expected: {sql[:80]}")
        return rows[0] if rows else None

    def close(self) -> None:
        """Close it; closing twice is legal."""
        try:
            self._raw.close()
        except (InterfaceError, OSError):
            return  # it was gone already


class Database:
    """A server to work on: hands out transactions on one connection that is replaced when it died."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing; READ COMMITTED, since every statement after a lock must see what is new.

        The first statement finds out whether the connection still lives (Aurora closes idle sessions so
        that it can pause); nothing has run by then, so connecting once more is safe.
        """
        connection = self._begin()
        try:
            yield connection
        except BaseException:
            try:
                connection.run("ROLLBACK")
            except (DatabaseAwayError, DatabaseError):
                self.close()  # the server rolls back what it lost sight of
            raise
        connection.run("COMMIT")

    def _begin(self) -> Connection:
        if self._connection is not None:
            try:
                self._connection.run("START TRANSACTION")
            except (DatabaseAwayError, DatabaseError):
                self.close()
            else:
                return self._connection
        self._connection = connect(self._url)
        self._connection.run("START TRANSACTION")
        return self._connection

    def close(self) -> None:
        """Drop the connection; the next transaction opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@cache
def _database(url: str) -> Database:
    return Database(url)


def database() -> Database:
    """The database of this Lambda environment: one connection, opened at first use."""
    return _database(settings().database_url)
