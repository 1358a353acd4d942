"""Opening the journal: SQLite in WAL mode, every commit on the disk before it returns."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge_component.journal.schema import SCHEMA, VERSION

BUSY_SECONDS = 60
REFUSED_STATUS = "refused_0x"
"""Prefix of the counters of instances refused, one a status."""


class JournalError(RuntimeError):
    """The journal would not take a row, so nothing may be acknowledged."""


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection of one thread; makes the tables where they are missing.

    Raises:
        JournalError: the file is not a journal of this version.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # erased header attributes are erased
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -2000")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    else:
        check_version(found, path)
    return connection


def check_version(found: int, path: Path) -> None:
    """Of a journal that is there.

    Raises:
        JournalError: it is not the version of this release.
    """
    if found != VERSION:
        raise JournalError(f"{path} is a journal of version {found}; this release reads version {VERSION}")


def set_broken_aside(path: Path) -> Path | None:
    """Rename a journal that SQLite cannot read, so that a new one is made from the files; where it went.

    Whoever calls holds the spool's locks.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        raise  # the disk or the permissions, not the file
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found == "ok":
        return None
    aside = path.with_name(f"{path.name}.broken-{time.time_ns()}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):  # they belong to it, and would spoil the new one
        companion = path.with_name(f"{path.name}{suffix}")
        if companion.exists():
            companion.rename(aside.with_name(f"{aside.name}{suffix}"))
    return aside


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, on the disk when it returns. BEGIN IMMEDIATE: waits for the other writer up front."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def count(connection: sqlite3.Connection, name: str, by: int = 1) -> None:
    """Add to a cumulative counter, within the caller's transaction."""
    if by:
        connection.execute(
            """INSERT INTO counter VALUES (?, ?)
               ON CONFLICT (name) DO UPDATE SET value = value + excluded.value""",
            (name, by),
        )


def counters(connection: sqlite3.Connection) -> dict[str, int]:
    """All counters."""
    return {row["name"]: row["value"] for row in connection.execute("SELECT name, value FROM counter")}
