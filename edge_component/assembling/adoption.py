"""Starting up: everything found in the spool is adopted again; nothing acknowledged is ever deleted."""

from __future__ import annotations

import io
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass

from edge_component.journal.database import transaction
from edge_component.journal.instances import insert_instances
from edge_component.journal.releases import accounted_for, complete, seal
from edge_component.records.receipt import HEAD, StoredInstance, aligned, of_place, place
from edge_component.records.rows import Arrival, InstanceRow
from edge_component.running import logs
from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import AlteredError, Stored, digest_of

CUT_OFF = "reception was cut off by a stop of the edge"


def end_epochs(journal: sqlite3.Connection, now: float) -> None:
    """No receiver of an earlier run is alive. Only the holder of the spool's lock may call this."""
    with transaction(journal):
        journal.execute("UPDATE epoch SET ended_at = ? WHERE ended_at IS NULL", (now,))


def adopt(
    journal: sqlite3.Connection, spool: Spool, epoch: int, clock: Clock = SYSTEM_CLOCK, run: str = ""
) -> int:
    """Journal every instance that has a receipt and no row, and seal its segment. Returns how many.

    `run`: only segments of this run, whose process is dead; without it no other process may be at work. What
    has no receipt was never acknowledged: it goes to quarantine.
    """
    if strange := spool.strangers():
        logs.error("files in the spool that are no segments are left alone", files=len(strange))
    adopted = 0
    known = complete(journal, run)  # the journal has everything that is in them
    left = [name for name in spool.segment_names(run) if name not in known]
    for segment in sorted(left, key=lambda name: _received_at(spool, name)):
        try:
            adopted += _adopt_segment(journal, spool, segment, epoch, clock())
        except OSError as error:  # what the journal knows of it is tried all the same
            logs.error("segment cannot be read", segment=segment, reason=error.strerror)
    if adopted:
        logs.warning("instances without a journal row adopted", instances=adopted)
    return adopted


def _received_at(spool: Spool, segment: str) -> float:
    """When its first instance came: versions of an instance are adopted in their order."""
    with suppress(OSError, StopIteration):
        return next(spool.records(segment)).row.received_at
    return 0.0


def _adopt_segment(journal: sqlite3.Connection, spool: Spool, segment: str, epoch: int, now: float) -> int:
    known = accounted_for(journal, segment)
    found, gaps = _look_through(spool, segment, known)
    new = [arrival for file, arrival in found.items() if file not in known]
    _quarantine(spool, segment, [gap for gap in gaps if gap.file not in known])
    if not (found or known):
        spool.files.remove(spool.segment(segment))  # made beforehand, and nothing was acknowledged
        return 0
    with transaction(journal):
        insert_instances(journal, epoch, new)
        # Their associations ended with the run that they belonged to, and how is not known.
        journal.executemany(
            "UPDATE association SET closed_at = ?, aborted = 1 WHERE association = ? AND closed_at IS NULL",
            [(now, association) for association in {sender.association for sender, _ in new}],
        )
        seal(journal, segment, len(known | found.keys()))
    return len(new)


@dataclass(frozen=True)
class _Gap:
    """Bytes of a segment that are no acknowledged instance. `file`: the place where they begin."""

    file: str
    end: int


def _look_through(spool: Spool, segment: str, known: set[str]) -> tuple[dict[str, Arrival], list[_Gap]]:
    """Its instances by place, and what is between and behind them."""
    with spool.files.read(spool.segment(segment)) as stream:
        size = stream.seek(0, os.SEEK_END)
    records = list(spool.records(segment))
    if records and records[-1].row.file not in known and not _whole(spool, records[-1].row):
        records.pop()  # the sync that its answer would have waited for had not ended
    gaps, after = [], 0
    for record in records:
        if record.at > after:
            gaps.append(_Gap(place(segment, after), record.at))
        after = aligned(record.end)
    if after < size:
        gaps.append(_Gap(place(segment, after), size))
    return {record.row.file: (record.sender, record.row) for record in records}, gaps


def _whole(spool: Spool, row: InstanceRow) -> bool:
    try:
        digest_of(spool, Stored.of(row))
    except AlteredError:
        return False
    return True


def _quarantine(spool: Spool, segment: str, gaps: list[_Gap]) -> None:
    """A copy for a person to look at; the segment itself goes when its instances have gone."""
    for gap in gaps:
        start = of_place(gap.file)[1] + HEAD.size
        with spool.files.read(spool.segment(segment)) as stream:
            cut_off = io.BufferedReader(StoredInstance(stream, start, max(0, gap.end - start)))
            if not cut_off.peek(1).strip(b"\0"):
                continue  # room that was never written to
            try:
                spool.quarantine_copy(cut_off, max(0, gap.end - start), gap.file, CUT_OFF)
            except OSError as error:
                logs.warning("no room in quarantine", file=gap.file, reason=str(error))
            else:
                logs.warning("cut-off reception put into quarantine", file=gap.file)
