"""One connection per Lambda environment: reused, checked by use, verified when remote."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_type_hints
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from dicom_ingest.errors import DatabaseAwayError, DatabaseConflictError, IndexRefusedError, IngestError
from dicom_ingest.runtime.settings import settings

RESUME_SECONDS = 45
"""A paused Aurora answers after 15 to 30 s: wait that long for a connection."""

CONFLICTS = frozenset({"40001", "40P01", "55P03"})  # serialisation failure, deadlock, lock time-out
OF_THE_VALUE = ("22", "23", "54000")
"""SQLSTATEs that a series is to blame for: data exception, constraint, a value too long for an index.

All others are the server's, a missing grant's or a migration's: https://www.postgresql.org/docs/16/errcodes-appendix.html
"""
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
    `sslmode` verify-full (the default unless local) or disable; `cafile` instead of RDS's roots;
    `timeout` seconds that an answer may take, the first one included.

    Raises:
        DatabaseAwayError: the server does not answer, or the server refuses for now.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    arguments: dict[str, Any] = {
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.removeprefix("/"),
        "timeout": float(options["timeout"]) if "timeout" in options else timeout,
        "application_name": "dicom-ingest",
        "startup_params": dict(SESSION),
    }
    folder = options.get("host")
    if folder:
        arguments["unix_sock"] = f"{folder}/.s.PGSQL.{parts.port or 5432}"
        arguments["ssl_context"] = False  # pg8000 would read the system's certificates: 16 ms
    else:
        arguments["host"] = parts.hostname or "localhost"
        arguments["port"] = parts.port or 5432
        # Never pg8000's default: it verifies nothing and goes on in plain text where the server has no TLS.
        plain = options.get("sslmode", "verify-full") == "disable"
        arguments["ssl_context"] = False if plain else verified_tls(options.get("cafile"))
    if options.get("auth") in ("iam", "secret"):
        arguments.update(_credentials(options, arguments))
    try:
        return Connection(pg8000.native.Connection(**arguments))
    except DatabaseError as error:
        raise DatabaseAwayError(str(_said(error))) from None
    except Exception as error:
        raise DatabaseAwayError(f"{arguments.get('host', folder)}: {error}") from error


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


def _said(error: DatabaseError) -> IngestError:
    """A server's error as ours; none keeps its words about a value, which may be a patient's name."""
    fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    code = str(fields.get("C", ""))
    if code in CONFLICTS:
        return DatabaseConflictError(f"{code}: {fields.get('M')}")
    if not code.startswith(OF_THE_VALUE):
        return DatabaseAwayError(f"{code or 'unknown'}: {fields.get('M', error)}")
    place = " ".join(str(fields[letter]) for letter in "tcn" if letter in fields)
    return IndexRefusedError(f"SQLSTATE {code} {place}".rstrip(), server_words=str(fields.get("M", error)))


def _failed(error: Exception) -> DatabaseAwayError:
    """What broke the connection; a driver's words may quote a value, a network's do not."""
    words = f": {error}" if isinstance(error, (OSError, InterfaceError)) else " in the driver"
    return DatabaseAwayError(f"{type(error).__name__}{words}")


def _same(value: Any) -> Any:
    return value


@cache
def _enums(kind: Hashable) -> dict[str, Callable[[Any], Any]]:
    """Of a dataclass' fields: what makes the enums."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name, hint in get_type_hints(kind).items():
        for enum in (hint, *get_args(hint)):
            if isinstance(enum, type) and issubclass(enum, Enum):
                found[name] = partial(_enum, enum)
    return found


def _enum(enum: type[Enum], value: Any) -> Enum | None:
    return None if value is None else enum(value)


class Connection:
    """A connection whose rows are mappings by column name, and whose errors are ours."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.statements = 0
        """How many were run: tests count them."""
        self.clean = True
        """Whether the next answer is certainly the next statement's, and the server the one to ask."""

    def run(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run one statement with :named parameters; its rows.

        Raises:
            IndexRefusedError: the server refuses a value.
            DatabaseConflictError: another transaction won.
            DatabaseAwayError: anything else, also in the driver; the connection is not clean any more.
        """
        self.statements += 1
        clean, self.clean = self.clean, False
        try:
            rows = self._raw.run(sql, **parameters)
        except DatabaseError as error:
            said = _said(error)
            self.clean = clean and not isinstance(said, DatabaseAwayError)
            raise said from None
        except Exception as error:  # noqa: BLE001 - whatever it was, the stream of answers may be one behind
            raise _failed(error) from None
        self.clean = clean
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

    def rows(self, kind: type[T], sql: str, **parameters: Any) -> list[T]:
        """The rows as a dataclass, whose fields are the statement's columns; enums from their values."""
        enums = _enums(cast("Hashable", kind))
        return [
            kind(**{name: enums.get(name, _same)(value) for name, value in row.items()})
            for row in self.run(sql, **parameters)
        ]

    def row(self, kind: type[T], sql: str, **parameters: Any) -> T | None:
        """The only row as a dataclass, or None."""
        rows = self.rows(kind, sql, **parameters)
        if len(rows) > 1:
            raise AssertionError(f"{len(rows)} rows where one was expected: {sql[:80]}")
        return rows[0] if rows else None

    def close(self) -> None:
        """Close it; closing twice is legal."""
        with suppress(InterfaceError, OSError):  # it was gone already
            self._raw.close()


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
            connection.run("COMMIT")
        except BaseException:
            self._roll_back(connection)
            raise

    def _roll_back(self, connection: Connection) -> None:
        """The cause is what the caller must see, so an error of ROLLBACK itself ends here.

        Closed, the server rolls back by itself.
        """
        if connection.clean:
            with suppress(IngestError):
                connection.run("ROLLBACK")
        if not connection.clean:
            self.close()

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
            except IngestError:
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
