"""Announcing: manifest and event are built once, committed as bytes, put, and leave the outbox last."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.events import EDGE_SOURCE, MAX_EVENT_BYTES, SERIES_COMPLETE
from edge_component.announcing.aside import note_missing
from edge_component.announcing.manifests import Announcement, build_announcement
from edge_component.journal.database import count, transaction
from edge_component.journal.releases import emptied, forget, let_go
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Ages, Clock
from edge_component.sending.answers import code
from edge_component.sending.objects import ChecksumError, put
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

ENTRIES = 10
"""PutEvents takes ten a call."""
GZIP = "application/gzip"
BUILDS = 100
"""Manifests a step, so that a long backlog is announced while it is built."""


class Announcer:
    """Owned by one thread, which calls `run_once`."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        spool: Spool,
        settings: Settings,
        s3: Any,
        events: Any,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._settings = settings
        self._s3 = s3
        self._events = events
        self._clock = clock
        self._monotonic = monotonic
        self._ages = Ages(clock, monotonic)
        backoff = Backoff(settings.backoff_base_seconds, settings.backoff_cap_seconds)
        self._schedule, self._disk = Schedule(backoff), Schedule(backoff)

    def run_once(self) -> bool:
        """Build what is complete, announce what is built, let go of what was announced."""
        self._build()
        announced = self._announce()
        released = self._release()
        return self._sweep() or announced or released

    def _build(self) -> None:
        now = self._monotonic()
        for sequence in self._complete()[:BUILDS]:
            if not self._schedule.ready(sequence, now):
                continue
            try:
                self._build_one(sequence)
            except ValueError as error:  # one series that cannot be described does not hold up the others
                self._failed(sequence, "manifest cannot be built", type(error).__name__)

    def _complete(self) -> list[int]:
        """Sealed, not built, and no instance left that may still be sent."""
        patience = self._settings.series_patience_seconds
        with self._ages.look() as age:
            return [
                row["sequence"]
                for row in self._journal.execute(SEALED).fetchall()
                if not row["unsent"] or age(row["sequence"], row["sealed_at"]) >= patience
            ]

    def _build_one(self, sequence: int) -> None:
        with transaction(self._journal) as journal:
            journal.execute(
                "UPDATE instance SET state = 'missing' WHERE sequence = ? AND state = 'assigned'", (sequence,)
            )
            announcement = build_announcement(journal, sequence, self._settings)
            _into_outbox(journal, sequence, announcement)

    def _announce(self) -> bool:
        now = self._monotonic()
        rows = self._journal.execute("SELECT sequence FROM outbox ORDER BY sequence").fetchall()
        ready = [row["sequence"] for row in rows if self._schedule.ready(row["sequence"], now)][:ENTRIES]
        put_already = [sequence for sequence in ready if self._put_manifest(sequence)]
        if not put_already:
            return bool(ready)
        accepted = self._put_events(put_already)
        for sequence in accepted:
            self._accepted(sequence)
        return True

    def _put_manifest(self, sequence: int) -> bool:
        row = self._journal.execute("SELECT * FROM outbox WHERE sequence = ?", (sequence,)).fetchone()
        body = bytes(row["manifest"])
        if _sha256(body) != row["manifest_sha256"] or _sha256(row["event"].encode()) != row["event_sha256"]:
            self._failed(sequence, "outbox row was altered", "its hash differs")
            return False
        try:
            put(self._s3, self._settings.bucket, row["manifest_key"], body, row["manifest_sha256"], GZIP)
        except (ChecksumError, BotoCoreError, ClientError) as error:
            self._failed(sequence, "manifest upload failed", code(error))
            return False
        return True

    def _put_events(self, sequences: Sequence[int]) -> list[int]:
        """The sequences whose event the bus has accepted."""
        entries = [self._entry(sequence) for sequence in sequences]
        try:
            answer = self._events.put_events(Entries=entries)
        except (BotoCoreError, ClientError) as error:
            for sequence in sequences:
                self._failed(sequence, "announcement failed", code(error))
            return []
        accepted: list[int] = []
        # Entries and results have the same order; FailedEntryCount alone does not say which failed.
        for sequence, result in zip(sequences, answer["Entries"], strict=True):
            if result.get("EventId") and not result.get("ErrorCode"):
                accepted.append(sequence)
            else:
                self._failed(sequence, "announcement failed", str(result.get("ErrorCode", "no event id")))
        return accepted

    def _entry(self, sequence: int) -> dict[str, str]:
        row = self._journal.execute("SELECT event FROM outbox WHERE sequence = ?", (sequence,)).fetchone()
        return {
            "Source": EDGE_SOURCE,
            "DetailType": SERIES_COMPLETE,
            "EventBusName": self._settings.event_bus,
            "Detail": row["event"],
        }

    def _failed(self, sequence: int, message: str, reason: str) -> None:
        now = self._monotonic()
        again = self._schedule.failed(sequence, now)
        logs.warning(message, sequence=sequence, error=reason, retry_in=round(again - now, 1))

    def _accepted(self, sequence: int) -> None:
        """Receipts stay, names go; their places in the spool follow when this is on the disk."""
        self._schedule.done(sequence)
        note_missing(self._journal, self._spool, sequence)
        with transaction(self._journal) as journal:
            written_off = mark_announced(journal, sequence, self._clock())
        facts = json.loads(written_off)
        logs.info("series announced", sequence=sequence, **facts)

    def _release(self) -> bool:
        """Places in the spool are released after the event was accepted; what is missing is put aside."""
        rows = self._journal.execute(
            "SELECT file, bytes, uploaded FROM receipt WHERE file IS NOT NULL LIMIT 1000"
        ).fetchall()
        done = [row["file"] for row in rows if row["uploaded"] or self._put_aside(row["file"], row["bytes"])]
        if not done:
            return False
        with transaction(self._journal) as journal:
            journal.executemany("UPDATE receipt SET file = NULL WHERE file = ?", [(file,) for file in done])
            let_go(journal, done)
        return True

    def _sweep(self) -> bool:
        """Remove the segments in which nothing is needed any more."""
        gone = [segment for segment in emptied(self._journal) if self._remove(segment)]
        if not gone:
            return False
        # Forgotten only when the names are gone for good: a start would take what came back for new.
        self._spool.files.sync_folder(self._spool.instances)
        with transaction(self._journal) as journal:
            forget(journal, gone)
        return True

    def _put_aside(self, file: str, size: int) -> bool:
        return self._disk_allows("put aside", file, partial(self._spool.put_aside, file, size))

    def _remove(self, segment: str) -> bool:
        path = self._spool.segment(segment)
        return self._disk_allows("remove segment", segment, partial(self._spool.files.remove, path))

    def _disk_allows(self, what: str, name: str, act: Callable[[], object]) -> bool:
        """False: not now (no room; somebody reads it, where that forbids it); it is tried again."""
        now = self._monotonic()
        if not self._disk.ready(name, now):
            return False
        try:
            act()
        except OSError as error:
            again = round(self._disk.failed(name, now) - now, 1)
            logs.error(
                "the disk does not allow it", what=what, file=name, reason=error.strerror, retry_in=again
            )
            return False
        self._disk.done(name)
        return True


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _into_outbox(journal: sqlite3.Connection, sequence: int, announcement: Announcement) -> None:
    if len(announcement.event.encode()) > MAX_EVENT_BYTES:
        raise ValueError(f"the event of series transfer {sequence} is longer than {MAX_EVENT_BYTES} bytes")
    journal.execute(
        """INSERT INTO outbox (sequence, manifest_key, manifest, manifest_sha256, event, event_sha256)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (
            sequence,
            announcement.manifest_key,
            announcement.manifest,
            _sha256(announcement.manifest),
            announcement.event,
            _sha256(announcement.event.encode()),
        ),
    )
    journal.execute("UPDATE series_transfer SET built = 1 WHERE sequence = ?", (sequence,))


def mark_announced(journal: sqlite3.Connection, sequence: int, now: float) -> str:
    """Instances become receipts, the outbox row leaves; the event's identifying facts, for the log."""
    row = journal.execute("SELECT event FROM outbox WHERE sequence = ?", (sequence,)).fetchone()
    detail = json.loads(row["event"])
    journal.execute(
        """INSERT INTO receipt
               (sop_instance_uid, sequence, sop_class_uid, dataset_sha256,
                announced_at, uploaded, bytes, file)
           SELECT sop_instance_uid, sequence, sop_class_uid, dataset_sha256,
                  ?, state = 'uploaded', bytes, file
             FROM instance WHERE sequence = ?""",
        (now, sequence),
    )
    sent = journal.execute(
        "SELECT count(*) FROM instance WHERE sequence = ? AND state = 'uploaded'", (sequence,)
    ).fetchone()[0]
    missing = journal.execute("DELETE FROM instance WHERE sequence = ?", (sequence,)).rowcount - sent
    journal.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))
    journal.execute("UPDATE series_transfer SET announced_at = ? WHERE sequence = ?", (now, sequence))
    count(journal, "instances_announced", sent)
    count(journal, "instances_missing", missing)
    count(journal, "series_announced")
    return json.dumps(
        {name: detail[name] for name in ("correlation_id", "transfer_id", "instance_count", "seal_reason")}
    )


# Sealed and not built; `unsent`: all that is left are instances with a problem, which may yet be sent.
SEALED = """
SELECT t.sequence, t.sealed_at,
       EXISTS (SELECT 1 FROM instance i WHERE i.sequence = t.sequence AND i.state = 'assigned') AS unsent
  FROM series_transfer t
 WHERE t.announced_at IS NULL AND t.sealed_at IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.sequence = t.sequence)
   AND NOT EXISTS (SELECT 1 FROM instance i
                    WHERE i.sequence = t.sequence AND i.state = 'assigned' AND i.problem IS NULL)
 ORDER BY t.sequence
"""
