"""``python -m edge_component aside list|send [NAME…]``: for an operator, whether the edge runs or not."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from edge_component.announcing.aside import NotAsideError, ask_again, files_aside, read_note
from edge_component.announcing.readmission import UNKNOWN, UNREADABLE, read_instance
from edge_component.journal.reading import open_to_read
from edge_component.records.part10 import file_crc32
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.running.clock import SYSTEM_CLOCK
from edge_component.settings import load_settings
from edge_component.spool.folder import Spool

NOBODY = AssociationRow("", UNKNOWN, UNKNOWN, UNKNOWN, 0.0)


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0: done; 1: a file is not there, or must stay aside.

    Raises:
        SettingsError: no spool is given, and the settings cannot be used.
    """
    spool = Spool(options.spool or load_settings(environment, options.config).spool)
    try:
        files = files_aside(spool, options.names)
    except NotAsideError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.action == "list":
        for path in files:
            sys.stdout.write(f"{_line(path)}\n")
        return 0
    with closing(open_to_read(spool.journal)) as journal:
        return max([_send(spool, journal, path) for path in files], default=0)


def _line(path: Path) -> str:
    note = read_note(path)
    facts = (note.sop_instance_uid, note.calling_ae, note.received_at, note.reason)
    return "  ".join([path.stem, f"{path.stat().st_size} bytes", *(fact or "?" for fact in facts)])


def _send(spool: Spool, journal: sqlite3.Connection, path: Path) -> int:
    try:
        row, found = read_instance(spool, path, NOBODY, SYSTEM_CLOCK)
    except UNREADABLE as error:
        why: str | None = f"cannot be read: {error}"
    else:
        why = cannot_be_sent_again(journal, row, found.sha256)
    if why is not None:
        sys.stdout.write(f"{path.stem}  stays aside: {why}\n")
        return 1
    ask_again(spool, path)
    sys.stdout.write(f"{path.stem}  {row.sop_instance_uid}  will be sent again\n")
    return 0


def cannot_be_sent_again(journal: sqlite3.Connection, row: InstanceRow, sha256: str) -> str | None:
    """Why an instance aside must stay there; None: it may be sent again.

    An altered file is not what was acknowledged; one that the sender has sent again since must not come
    after it, or an old version would replace a newer one.
    """
    receipts = journal.execute(
        """SELECT sequence, dataset_sha256, file_crc32, uploaded FROM receipt
            WHERE sop_instance_uid = ? ORDER BY sequence""",
        (row.sop_instance_uid,),
    ).fetchall()
    missing = [receipt for receipt in receipts if not receipt["uploaded"]]
    # The CRC was taken as the bytes passed: an instance that nobody sent, or could read, has no hash. That of
    # the data set, which an earlier release kept, follows from the file's as the file's from it.
    identity = (row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid)
    sums = (row.file_crc32, file_crc32(*identity, row.bytes, row.file_crc32))
    ours = [
        receipt["sequence"]
        for receipt in missing
        if receipt["file_crc32"] in sums or receipt["dataset_sha256"] == sha256
    ]
    if missing and not ours:
        return "altered since it was acknowledged; ask the sender to send it again"
    under_way = journal.execute(
        "SELECT 1 FROM instance WHERE sop_instance_uid = ? AND file != ?", (row.sop_instance_uid, row.file)
    ).fetchone()
    if under_way or (ours and any(receipt["sequence"] > ours[-1] for receipt in receipts)):
        return "the sender has sent this instance again since"
    return None
