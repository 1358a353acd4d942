"""One connection per Lambda environment: reused, checked by use, verified when remote."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from dicom_ingest.errors import DatabaseAwayError, DatabaseConflictError, IndexRefusedError
from dicom_ingest.runtime.settings import settings

RESUME_SECONDS = 45
"""A paused Aurora answers after 15 to 30 s: wait that long for a connection."""

CONFLICTS = frozenset({"40001", "40P01", "55P03"})  # serialisation failure, deadlock, lock time-out
AWAY = ("57P", "08", "53", "28")  # shut down or starting, connection, too many connections, rotated secret
STATEMENT_CANCELLED = "57014"
SESSION = {
    # A Lambda's own time-out, or a lost one, must never leave a lock behind it.
    "statement_timeout": "40s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
CONFLICT_TRIES = 3
CONFLICT_PAUSE_SECONDS = 0.2
T = TypeVar("T")


def connect(url: str, timeout: float | None = RESUME_SECONDS) -> Connection:
    """Open a connection to ``postgresql://user[:password]@host[:port]/name[?options]``.

    `timeout`: seconds that an answer may take; None: any time.

    Options: `host` a folder with the server's unix socket; `auth` iam or secret (then `secret_arn`);
    `sslmode` verify-full (the default unless local) or disable; `cafile` instead of RDS's roots.

    Raises:
        DatabaseAwayError: nobody answers, or the server refuses for now.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    arguments: dict[str, Any] = {
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.removeprefix("/"),
        "timeout": timeout,
        "application_name": "dicom-ingest",
        "startup_params": dict(SESSION),
    }
    folder = options.get("host")
    if folder:
        arguments["unix_sock"] = f"{folder}/.s.PGSQL.{parts.port or 5432}"
    else:
        arguments["host"] = parts.hostname or "localhost"
        arguments["port"] = parts.port or 5432
        # Never pg8000's default: it verifies nothing and goes on in plain text where the server has no TLS.
        plain = options.get("sslmode", "verify-full") == "disable"
        arguments["ssl_context"] = False if plain else verified_tls(options.get("cafile"))
    if options.get("auth") in ("iam", "secret"):
        arguments.update(_credentials(options, arguments))
    with translated_errors():
        try:
            raw = pg8000.native.Connection(**arguments)
        except OSError as error:
            raise DatabaseAwayError(f"{arguments.get('host', folder)}: {error}") from error
    return Connection(raw)


def verified_tls(cafile: str | None = None) -> ssl.SSLContext:
    """A context that checks certificate and host name; RDS's roots travel with the layer."""
    bundle = Path(__file__).parent.parent / "global-bundle.pem"
    return ssl.create_default_context(cafile=cafile or (str(bundle) if bundle.exists() else None))


def _credentials(options: dict[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    # Imported here: a local run needs neither.
    from dicom_ingest.runtime import clients

    if options["auth"] == "iam":
        return {"password": clients.database_token(arguments["host"], arguments["port"], arguments["user"])}
    return clients.database_secret(options["secret_arn"])


@contextmanager
def translated_errors() -> Iterator[None]:
    """pg8000's errors as ours; none keeps the server's words about a value, which may be a patient's name."""
    try:
        yield
    except DatabaseError as error:
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code = str(fields.get("C", ""))
        if code in CONFLICTS:
            raise DatabaseConflictError(f"{code}: {fields.get('M')}") from error
        if code.startswith(AWAY) or code == STATEMENT_CANCELLED:
            raise DatabaseAwayError(f"{code}: {fields.get('M')}") from error
        place = " ".join(str(fields[letter]) for letter in "tcn" if letter in fields)
        words = f"SQLSTATE {code or 'unknown'} {place}".rstrip()
        raise IndexRefusedError(words, server_words=str(fields.get("M", error))) from None
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
        self.url = url
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
            except (DatabaseAwayError, IndexRefusedError):
                self.close()  # the server rolls back what it lost sight of
            raise
        connection.run("COMMIT")

    def do(self, work: Callable[[Connection], T]) -> T:
        """The result of one transaction; done again, twice at most, where another transaction won.

        Raises:
            DatabaseConflictError: it lost three times; the state machine tries again later.
        """
        for left in reversed(range(CONFLICT_TRIES)):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except DatabaseConflictError:
                if not left:
                    raise
                time.sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last try returns or raises")

    def _begin(self) -> Connection:
        if self._connection is not None:
            try:
                self._connection.run("START TRANSACTION")
            except (DatabaseAwayError, IndexRefusedError):
                self.close()
            else:
                return self._connection
        self._connection = connect(self.url)
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
