"""From *uploaded* or *missing* to *announced* and *released*."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from edge_component.journal.database import count
from edge_component.journal.instances.duplicates import welcome_duplicates
from edge_component.journal.instances.errors import StateError
from edge_component.journal.releases import let_go


def missing(journal: sqlite3.Connection, sequence: int) -> None:
    """A series goes without those of its instances that cannot be sent."""
    welcome_duplicates(journal, sequence)
    journal.execute(
        "UPDATE instance SET state = 'missing' WHERE sequence = ? AND state = 'assigned'", (sequence,)
    )


def announced(journal: sqlite3.Connection, sequence: int, now: float) -> None:
    """Instances become receipts, without names; the outbox row leaves.

    Raises:
        StateError: one of its instances is neither in S3 nor said to be missing.
    """
    journal.execute(
        """INSERT INTO receipt (sop_instance_uid, sequence, sop_class_uid, dataset_sha256,
                                announced_at, uploaded, bytes, file, file_crc32)
           SELECT sop_instance_uid, sequence, sop_class_uid, coalesce(dataset_sha256, ''),
                  ?, state = 'uploaded', bytes, file, file_crc32
             FROM instance WHERE sequence = ?""",
        (now, sequence),
    )
    gone = {
        state: journal.execute(
            "DELETE FROM instance WHERE sequence = ? AND state = ?", (sequence, state)
        ).rowcount
        for state in ("uploaded", "missing")
    }
    if journal.execute("SELECT 1 FROM instance WHERE sequence = ?", (sequence,)).fetchone():
        raise StateError(f"series transfer {sequence} is announced with instances that are still to be sent")
    journal.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))
    journal.execute(
        "UPDATE series_transfer SET announced_at = ?, problem = NULL WHERE sequence = ?", (now, sequence)
    )
    count(journal, "instances_announced", gone["uploaded"])
    count(journal, "instances_missing", gone["missing"])
    count(journal, "series_announced")


def released(journal: sqlite3.Connection, files: Sequence[str]) -> None:
    """Announced instances whose bytes are in S3, or aside."""
    journal.executemany("UPDATE receipt SET file = NULL WHERE file = ?", [(file,) for file in files])
    let_go(journal, files)
