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


def welcome_duplicates(journal: sqlite3.Connection, sequence: int) -> None:
    """Their twins are announced as missing from a series: they are received again."""
    journal.execute(
        """UPDATE instance SET state = 'received', twin = NULL WHERE state = 'duplicate'
            AND twin IN (SELECT instance FROM instance WHERE sequence = ? AND state = 'assigned')""",
        (sequence,),
    )


def change_files(journal: sqlite3.Connection, instance: int) -> None:
    """Its file is damaged: it goes on with a duplicate's that is not, in its own place among the versions."""
    found = journal.execute(
        """SELECT d.instance, d.file, i.file, i.problem FROM instance d JOIN instance i ON i.instance = d.twin
            WHERE d.state = 'duplicate' AND d.twin = ? AND d.problem IS NULL ORDER BY d.instance LIMIT 1""",
        (instance,),
    ).fetchone()
    if found is None:
        return
    duplicate, good, damaged, problem = found
    change = "UPDATE instance SET file = ?, problem = ? WHERE instance = ?"
    for row in (("", problem, duplicate), (good, None, instance), (damaged, problem, duplicate)):
        journal.execute(change, row)
