"""Starting up: everything found in the spool is adopted again; nothing acknowledged is ever deleted."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from dicom_ingest.contracts.identifiers import UnsafeIdentifierError, safe_uid
from edge_component import logs
from edge_component.clock import SYSTEM_CLOCK, Clock
from edge_component.header import HeaderError, read_header
from edge_component.journal.database import transaction
from edge_component.journal.intake import AssociationRow, InstanceRow, insert_instance
from edge_component.part10 import part10_head
from edge_component.spool import Spool

UNREADABLE = (HeaderError, InvalidDicomError, UnsafeIdentifierError, AttributeError)
"""What reading a file raises that is no instance of ours."""
UNKNOWN = "UNKNOWN"
"""Who sent it is written in the journal only: a file depends on the instance alone."""


def end_epochs(journal: sqlite3.Connection, now: float) -> None:
    """No receiver of an earlier run is alive: whoever holds the spool's lock may say so."""
    with transaction(journal):
        journal.execute("UPDATE epoch SET ended_at = ? WHERE ended_at IS NULL", (now,))


def adopt(journal: sqlite3.Connection, spool: Spool, epoch: int, clock: Clock = SYSTEM_CLOCK) -> int:
    """Journal every instance file without a row; cut-off receptions go to quarantine. Returns how many."""
    for name in list(spool.part_files()):
        spool.quarantine_file(spool.path(name), "reception was cut off by a stop of the edge")
        logs.warning("cut-off reception put into quarantine", file=name)
    known = {
        row[0]
        for row in journal.execute(
            "SELECT file FROM instance UNION ALL SELECT file FROM receipt WHERE file NOT NULL"
        )
    }
    sender = AssociationRow(f"adopted-{epoch}", UNKNOWN, UNKNOWN, UNKNOWN, clock())
    adopted = 0
    for name in sorted(set(spool.instance_files()) - known):
        try:
            row = row_of(spool, spool.path(name), sender, clock)
        except UNREADABLE as error:
            spool.quarantine_file(spool.path(name), f"found in the spool, cannot be read: {error}")
            logs.error("unreadable file found in the spool", file=name, reason=type(error).__name__)
            continue
        with transaction(journal):
            insert_instance(journal, epoch, sender, row)
            journal.execute(
                "UPDATE association SET closed_at = ?, aborted = 1 WHERE association = ?",
                (clock(), sender.association),
            )
        adopted += 1
    if adopted:
        logs.warning("instances without a journal row adopted", instances=adopted)
    return adopted


def row_of(spool: Spool, path: Path, sender: AssociationRow, clock: Clock) -> InstanceRow:
    """The journal row of an instance file that has none, read from its bytes.

    Raises:
        UNREADABLE: it is no instance of ours.
    """
    syntax, head = _head(path)
    with spool.files.read(path) as stream:
        stream.seek(len(head))
        header = read_header(stream, syntax)
        size, file_sha256, dataset_sha256 = _hashes(spool, path, syntax, len(head))
    return InstanceRow(
        association=sender.association,
        file=path.name,
        received_at=clock(),
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=syntax,
        modality=header.modality,
        bytes=size,
        file_sha256=file_sha256,
        dataset_sha256=dataset_sha256,
        uid_findings=json.dumps(header.uid_findings),
        attributes=header.attributes,
    )


def _head(path: Path) -> tuple[str, bytes]:
    """The transfer syntax, and the head as we write it: its length says where the data set begins."""
    meta = read_file_meta_info(path)
    syntax = safe_uid(str(meta.TransferSyntaxUID))
    head = part10_head(str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), syntax)
    return syntax, head


def _hashes(spool: Spool, path: Path, syntax: str, offset: int) -> tuple[int, str, str]:
    whole, dataset = hashlib.sha256(), hashlib.sha256(syntax.encode("ascii") + b"\0")
    with spool.files.read(path) as stream:
        size = offset
        head = stream.read(offset)
        whole.update(head)
        while piece := stream.read(1024 * 1024):
            whole.update(piece)
            dataset.update(piece)
            size += len(piece)
    return size, whole.hexdigest(), dataset.hexdigest()
