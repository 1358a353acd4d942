"""What an attempt to upload an instance means for the journal."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge_component.journal import chain, channels, compression, instances
from edge_component.journal.instances import Assigned
from edge_component.running import logs
from edge_component.sending.answers import (
    CopyLost,
    Foreign,
    Held,
    ObjectFault,
    Outcome,
    ServiceFault,
    Stored,
    because,
)
from edge_component.spool.folder import Spool


@dataclass(frozen=True)
class Result:
    """How an attempt ended."""

    upload: Assigned
    outcome: Outcome


def write(journal: sqlite3.Connection, result: Result, now: float) -> None:
    """How it ended, within the caller's transaction."""
    upload, outcome = result.upload, result.outcome
    match outcome:
        case Stored():
            instances.uploaded(journal, upload)
            channels.succeeded(journal, channels.UPLOAD, now)
        case Held():
            instances.hand_back(journal, [upload])
        case ServiceFault(code, words, unsure):
            instances.not_uploaded(journal, upload, because=because(outcome), unsure=unsure)
            channels.failed(journal, channels.UPLOAD, now, code, words)
        case ObjectFault(reason, damaged):
            instances.not_uploaded(journal, upload, because=reason, problem=reason, damaged=damaged)
        case CopyLost(words):
            if upload.unsure or upload.upload_id:  # S3 may have it: another copy must have another key
                redraw(journal, upload.sequence, upload.transfer_id, words, now, foreign=False)
            else:
                compression.again(journal, upload)
        case Foreign(words):
            redraw(journal, upload.sequence, upload.transfer_id, words, now)


def discard(spool: Spool, file: str) -> None:
    """A compressed copy is not needed any more; the next start finds it, where the disk does not allow it."""
    try:
        spool.files.remove(spool.compressed_copy(file))
    except OSError as error:
        logs.warning("compressed copy cannot be removed", file=file, reason=error.strerror)


def redraw(
    journal: sqlite3.Connection,
    sequence: int,
    transfer_id: str,
    words: str,
    now: float,
    *,
    foreign: bool = True,
) -> None:
    """Give a series another transfer id.

    `foreign`: S3 holds under this one what the edge has not sent, as after a restored disk. Another copy of
    the edge may have gone on with its chain: this one begins its own.
    """
    if new := instances.redraw(journal, sequence, transfer_id):
        if foreign:
            chain.begin(journal, "restored journal")
        channels.notice(journal, channels.TRANSFER_REDRAWN, now, f"{transfer_id}: {words}")
        logs.error("transfer redrawn", sequence=sequence, transfer_id=transfer_id, sent_as=new, reason=words)
