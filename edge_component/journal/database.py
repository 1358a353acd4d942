"""Opening the journal: SQLite in WAL mode, every commit on the disk before it returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_component.journal.migrations import OLDEST, JournalError, check_version, migrate
from edge_component.journal.schema import VERSION

BUSY_SECONDS = 60
REFUSED_STATUS = "refused_0x"
"""Prefix of the counters of instances refused, one a status."""
__all__ = ["JournalError"]


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection of one thread; makes the tables where they are missing, and migrates an older journal.

    Raises:
        JournalError: the file is a journal of a release that this one does not know.
        sqlite3.Error: the disk, or a journal that cannot be migrated.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # erased header attributes are erased
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -2000")
    if (found := version_of(connection)) != VERSION:
        try:
            if found:
                check_version(found, path, OLDEST)
            migrate(connection, found)
        except (JournalError, sqlite3.Error):
            connection.close()
            raise
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """The release's mark in a journal; 0: it is new and empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


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
