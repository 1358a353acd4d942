"""Files that an operator wants to be sent again become instances again, as if they had just been received."""

from __future__ import annotations

import sqlite3

from edge_component import logs
from edge_component.adoption import UNKNOWN, UNREADABLE, row_of
from edge_component.aside import back_aside, note_of, read_note
from edge_component.clock import Clock
from edge_component.journal.database import transaction
from edge_component.journal.intake import AssociationRow, InstanceRow, insert_instance
from edge_component.spool import Spool


def readmit(journal: sqlite3.Connection, spool: Spool, name: str, clock: Clock) -> bool:
    """Take one file that was asked for; False: not now, or never.

    The row is written first: a crash in between leaves the file here, where the next look finds it.
    """
    path = spool.again / name
    if journal.execute("SELECT 1 FROM receipt WHERE file = ?", (name,)).fetchone():
        return False  # the announcer has not finished putting it aside
    if not journal.execute("SELECT 1 FROM instance WHERE file = ?", (name,)).fetchone():
        sender = _sender(spool, name, clock)
        try:
            row = row_of(spool, path, sender, clock)
        except UNREADABLE as error:
            back_aside(spool, name)
            logs.error("file to be sent again cannot be read", file=name, reason=type(error).__name__)
            return False
        _insert(journal, sender, row, clock)
    spool.take_again(name)
    spool.files.remove(note_of(path))
    return True


def _sender(spool: Spool, name: str, clock: Clock) -> AssociationRow:
    """Who sent it first: its profile says issuer and priority."""
    note = read_note(spool.again / name)
    calling, called = note.calling_ae or UNKNOWN, note.called_ae or UNKNOWN
    return AssociationRow(f"again-{name}", calling, called, UNKNOWN, clock())


def _insert(journal: sqlite3.Connection, sender: AssociationRow, row: InstanceRow, clock: Clock) -> None:
    with transaction(journal):
        [epoch] = journal.execute("SELECT max(epoch) FROM epoch").fetchone()
        insert_instance(journal, epoch, sender, row)
        journal.execute(
            "UPDATE association SET closed_at = ? WHERE association = ?", (clock(), sender.association)
        )
    logs.info("instance taken again", file=row.file, sop_instance_uid=row.sop_instance_uid)
