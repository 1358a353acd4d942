"""Received instances that equal one which is not in S3 yet: kept until that is."""

from __future__ import annotations

import sqlite3

from edge_component.journal.database import count
from edge_component.journal.releases import let_go


def release_duplicates(journal: sqlite3.Connection, which: str, instance: int) -> None:
    files = [
        row["file"]
        for row in journal.execute(
            f"SELECT file FROM instance WHERE state = 'duplicate' AND {which}",  # noqa: S608 - SQL of our own
            (instance,),
        ).fetchall()
    ]
    journal.executemany("DELETE FROM instance WHERE file = ?", [(file,) for file in files])
    count(journal, "instances_duplicate", len(files))
    let_go(journal, files)


def welcome_duplicates(journal: sqlite3.Connection, which: str, value: int) -> None:
    """Their twin cannot be sent: they are received again, and take its place."""
    journal.execute(
        f"UPDATE instance SET state = 'received', twin = NULL WHERE state = 'duplicate' AND {which}",  # noqa: S608
        (value,),
    )
