"""Looking into a journal from outside: the edge that runs is the only one that writes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge_component.journal.migrations import JournalError, check_version
from edge_component.records.receipt import of_place


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, beside a running edge or on a disk that cannot be written to.

    Raises:
        JournalError: the file is not a journal of this version.
        sqlite3.Error: there is none, or SQLite cannot read it.
    """
    how = "mode=ro"
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        how += "&immutable=1"  # it was closed, and there is no room for the files that SQLite reads it with
    journal = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    journal.row_factory = sqlite3.Row
    try:
        check_version(journal.execute("PRAGMA user_version").fetchone()[0], path)
    except (JournalError, sqlite3.Error):
        journal.close()
        raise
    return journal


def state_of(journal: sqlite3.Connection, file: str) -> str | None:
    """What became of the instance at a place of the spool; None: the journal has no row of it.

    An instance's own state, then `announced` (or still `missing`, until it is aside), then `released`: no
    longer needed (announced and in S3, put aside, or a duplicate).

    Raises:
        sqlite3.Error: the journal cannot be read.
    """
    row = journal.execute(STATE, (file, *of_place(file))).fetchone()
    return None if row is None else str(row["state"])


STATE = """
SELECT state FROM instance WHERE file = ?1
UNION ALL
SELECT CASE uploaded WHEN 0 THEN 'missing' ELSE 'announced' END FROM receipt WHERE file = ?1
UNION ALL
SELECT 'released' FROM released WHERE segment = ?2 AND at = ?3
"""
