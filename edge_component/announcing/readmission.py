"""Files that an operator wants to be sent again become instances again, as if they had just been received."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid
from edge_component.announcing.aside import back_aside, note_of, read_note
from edge_component.journal.database import transaction
from edge_component.journal.instances import insert_instances
from edge_component.journal.releases import seal
from edge_component.receiving.datasets.header import HeaderError, read_header
from edge_component.receiving.datasets.preflight import noted
from edge_component.records.part10 import read_head
from edge_component.records.receipt import encode_receipt, of_place, place
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.running import logs
from edge_component.running.clock import Clock
from edge_component.spool.folder import Spool, file_name
from edge_component.spool.hashing import Digest, digest, pieces_of

UNREADABLE = (HeaderError, InvalidDicomError, UnsafeIdentifierError, AttributeError)
"""What reading a file raises that the edge has not stored."""
UNKNOWN = "UNKNOWN"
"""Who sent it, where no note says so."""


def readmit(journal: sqlite3.Connection, spool: Spool, name: str, clock: Clock) -> bool:
    """Take one file that was asked for; False: not now, or never.

    It stays here until its row is written: after a crash in between the next look finds it.
    """
    path = spool.again / name
    for receipt in journal.execute("SELECT file FROM receipt WHERE file NOT NULL"):
        if file_name(receipt["file"]) == path.stem:
            return False  # the announcer has not finished putting it aside
    sender = _sender(spool, name, clock)
    try:
        row, _ = read_instance(spool, path, sender, clock)
    except UNREADABLE as error:
        back_aside(spool, name)
        logs.error("file to be sent again cannot be read", file=name, reason=type(error).__name__)
        return False
    if not journal.execute("SELECT 1 FROM instance WHERE file = ?", (row.file,)).fetchone():
        try:
            spool.take_again(name, row.file, row.bytes, encode_receipt(sender, row))
        except FileExistsError as error:
            back_aside(spool, name)
            logs.error("file cannot be sent again", file=name, reason=error.strerror)
            return False
        _insert(journal, sender, row, clock)
    spool.files.remove(path)
    spool.files.remove(note_of(path))
    return True


def read_instance(
    spool: Spool, path: Path, sender: AssociationRow, clock: Clock
) -> tuple[InstanceRow, Digest]:
    """The journal row of an instance file that has none, and its digest, read from its bytes.

    Raises:
        UNREADABLE: the edge has not stored it.
    """
    meta = read_file_meta_info(path)
    syntax = safe_uid(str(meta.TransferSyntaxUID))
    with spool.files.read(path) as stream:
        read_head(stream)
        header = read_header(stream, syntax)
        stream.seek(0)
        found = digest(pieces_of(stream))
    row = InstanceRow(
        association=sender.association,
        file=place(path.stem, 0),
        received_at=clock(),
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=syntax,
        modality=header.modality,
        bytes=found.bytes,
        file_crc32=found.file_crc32,
        uid_findings=json.dumps(header.findings),
        attributes=header.attributes,
        foretold=noted(header.foretold, found.bytes),
    )
    return row, found


def _sender(spool: Spool, name: str, clock: Clock) -> AssociationRow:
    """Who sent it first: its profile says issuer and priority."""
    note = read_note(spool.again / name)
    calling, called = note.calling_ae or UNKNOWN, note.called_ae or UNKNOWN
    return AssociationRow(f"again-{name}", calling, called, UNKNOWN, clock())


def _insert(journal: sqlite3.Connection, sender: AssociationRow, row: InstanceRow, clock: Clock) -> None:
    with transaction(journal):
        [epoch] = journal.execute("SELECT max(epoch) FROM epoch").fetchone()
        insert_instances(journal, epoch, [(sender, row)])
        seal(journal, of_place(row.file)[0], 1)
        journal.execute(
            "UPDATE association SET closed_at = ? WHERE association = ?", (clock(), sender.association)
        )
    logs.info("instance taken again", file=row.file, sop_instance_uid=row.sop_instance_uid)
