"""Starting up: everything found in the spool is adopted again; nothing acknowledged is ever deleted."""

from __future__ import annotations

import os
import sqlite3

from edge_component import logs
from edge_component.clock import SYSTEM_CLOCK, Clock
from edge_component.journal.database import transaction
from edge_component.journal.intake import Arrival, insert_instances
from edge_component.receipt import read_receipt
from edge_component.spool import Spool


def end_epochs(journal: sqlite3.Connection, now: float) -> None:
    """No receiver of an earlier run is alive: whoever holds the spool's lock may say so."""
    with transaction(journal):
        journal.execute("UPDATE epoch SET ended_at = ? WHERE ended_at IS NULL", (now,))


def adopt(
    journal: sqlite3.Connection, spool: Spool, epoch: int, clock: Clock = SYSTEM_CLOCK, run: str = ""
) -> int:
    """Journal every instance that has a receipt and no row. Returns how many.

    `run`: only files of this run, whose process is dead; without it no other process may be at work. What has
    no receipt was never acknowledged: it goes to quarantine, or away where it is empty.
    """
    for name in list(spool.part_files(run)):
        if _receipt(spool, name):
            spool.name_whole(name)
    known = {
        row[0]
        for row in journal.execute(
            "SELECT file FROM instance UNION ALL SELECT file FROM receipt WHERE file NOT NULL"
        )
    }
    adopted = 0
    for name in sorted(set(spool.instance_files(run)) - known):
        if (arrival := _receipt(spool, name)) is None:
            continue
        with transaction(journal):
            insert_instances(journal, epoch, [arrival])
            # The association ended with the run that it belonged to, and nobody saw how.
            journal.execute(
                """UPDATE association SET closed_at = ?, aborted = 1
                   WHERE association = ? AND closed_at IS NULL""",
                (clock(), arrival[0].association),
            )
        adopted += 1
    if adopted:
        logs.warning("instances without a journal row adopted", instances=adopted)
    return adopted


def _receipt(spool: Spool, name: str) -> Arrival | None:
    with spool.files.read(spool.path(name)) as stream:
        found = read_receipt(stream)
        empty = not stream.seek(0, os.SEEK_END)
    if found is None and empty:
        spool.remove(name)  # made beforehand, never used
    elif found is None:
        spool.quarantine_file(spool.path(name), "reception was cut off by a stop of the edge")
        logs.warning("cut-off reception put into quarantine", file=name)
    return found
