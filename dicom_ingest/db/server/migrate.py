"""Migrations: numbered, forward only, each applied once, by one session at a time.

A migration is one transaction, unless its first line is ``-- outside a transaction``: then each of its
statements commits by itself, so that it may say CREATE INDEX CONCURRENTLY, which blocks no writer. Such
statements must be repeatable (IF NOT EXISTS).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_ingest.db.server.connection import Connection, Database, connect
from dicom_ingest.errors import DatabaseAwayError, DatabaseConflictError, MigrationUnderWayError

MIGRATIONS = Path(__file__).parent.parent / "migrations"
LOCK = 0x4449434F  # any constant that nothing else uses
OUTSIDE = "-- outside a transaction\n"
LOCK_SECONDS = 2
"""A statement that waits for a table's lock holds up every later statement on that table: not for long."""
PAUSE_SECONDS = 1.0
FOREVER = float("inf")

# The functions' limits are for statements of milliseconds; an index on a large table takes minutes. The
# server finishes a statement whose client has gone: the next call finds the index built.
_SESSION = """
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_connection_check_interval = 0
"""
_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())
"""
_TRY_LOCK = "SELECT pg_try_advisory_lock(:lock) AS mine"
_APPLIED = "INSERT INTO migration (name) VALUES (:name)"
# What an interrupted CREATE INDEX CONCURRENTLY leaves: it is kept up to date and never used.
_INVALID = """
SELECT format('DROP INDEX CONCURRENTLY %s', i.indexrelid::regclass) AS statement, c.relname AS name
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid
"""


def migration_names() -> list[str]:
    """All migrations, in the order in which they apply."""
    return sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.sql"))


def migrate(database: Database, patience: float = FOREVER, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, one migration after the other; the names of the applied ones.

    `patience`: the seconds after which no statement is begun or waited for any more.

    Raises:
        MigrationUnderWayError: patience ended, or another session migrates. Call again to go on.
    """
    deadline = time.monotonic() + patience
    with _session(database, patience) as connection:
        while not (connection.one(_TRY_LOCK, lock=LOCK) or {})["mine"]:
            # No blocking lock: a session that waits for one would hold up CREATE INDEX CONCURRENTLY.
            _pause(deadline, "another session migrates")
        connection.run(_TABLE)
        applied = {row["name"] for row in connection.run("SELECT name FROM migration")}
        missing = [path for path in sorted(folder.glob("[0-9]*.sql")) if path.stem not in applied]
        for path in missing:
            _apply(connection, path.stem, path.read_text(encoding="utf-8"), deadline)
    return [path.stem for path in missing]


@contextmanager
def _session(database: Database, patience: float) -> Iterator[Connection]:
    """A session of its own; the migration lock ends with it."""
    connection = connect(database.url, timeout=None if patience == FOREVER else max(1.0, patience))
    try:
        connection.run(_SESSION)
        yield connection
    finally:
        connection.close()


def _apply(connection: Connection, name: str, text: str, deadline: float) -> None:
    outside = text.startswith(OUTSIDE)
    while True:
        _check(deadline, name)
        try:
            if outside:
                _one_by_one(connection, name, text, deadline)
            else:
                _at_once(connection, name, text)
        except DatabaseConflictError:
            _pause(deadline, f"{name} waits for a lock")
        else:
            return


def _at_once(connection: Connection, name: str, text: str) -> None:
    connection.run("START TRANSACTION")
    try:
        connection.run(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        connection.run(text)
        connection.run(_APPLIED, name=name)
        connection.run("COMMIT")
    except DatabaseConflictError:
        connection.run("ROLLBACK")
        raise


def _one_by_one(connection: Connection, name: str, text: str, deadline: float) -> None:
    connection.run("SET lock_timeout = 0")  # CONCURRENTLY waits for older transactions, and blocks no one
    for row in connection.run(_INVALID):
        if row["name"] in text:
            _run(connection, name, row["statement"], deadline)
    for statement in _statements(text):
        _run(connection, name, statement, deadline)
    connection.run(_APPLIED, name=name)


def _run(connection: Connection, name: str, statement: str, deadline: float) -> None:
    _check(deadline, name)
    try:
        connection.run(statement)
    except DatabaseAwayError as error:
        raise MigrationUnderWayError(f"{name}: the server may still be at work on it: {error}") from error


def _statements(text: str) -> list[str]:
    """Ended by a semicolon at the end of a line."""
    bare = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    return [part.strip() for part in re.split(r";\s*$", bare, flags=re.MULTILINE) if part.strip()]


def _pause(deadline: float, words: str) -> None:
    _check(deadline, words)
    time.sleep(PAUSE_SECONDS)


def _check(deadline: float, words: str) -> None:
    if time.monotonic() > deadline:
        raise MigrationUnderWayError(words)
