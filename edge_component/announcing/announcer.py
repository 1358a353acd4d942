"""Announcing: manifest and event are built once, committed as bytes, put, and leave the outbox last."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.messages.events import EDGE_SOURCE, SERIES_COMPLETE
from edge_component.announcing.aside import note_missing
from edge_component.announcing.manifests import Announcement, UndescribableError, build_announcement
from edge_component.announcing.releasing import Releases
from edge_component.journal import chain, channels, instances
from edge_component.journal.database import transaction
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Ages, Clock
from edge_component.running.task import beat
from edge_component.sending.answers import Foreign, ObjectFault, ServiceFault, because, fault
from edge_component.sending.exchange import ClientPut, Exchange
from edge_component.sending.uploader import SERVICE
from edge_component.sending.verified import VerifiedFile
from edge_component.sending.written import redraw
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

ENTRIES = 10
"""PutEvents takes ten a call."""
GZIP = "application/gzip"
BUILDS = 100
"""Manifests a step, so that a long backlog is announced while it is built."""
TRIES = 3
"""To build a manifest, before it is built without what cannot be written."""


@dataclass(frozen=True)
class Announced:
    """A row of the outbox."""

    sequence: int
    transfer_id: str
    manifest_key: str
    manifest: bytes
    manifest_sha256: str
    event: str
    event_sha256: str
    unsure: bool
    """The manifest may have been put already."""

    @property
    def entry(self) -> dict[str, str]:
        """For PutEvents, but for the bus."""
        return {"Source": EDGE_SOURCE, "DetailType": SERIES_COMPLETE, "Detail": self.event}

    @property
    def altered(self) -> bool:
        """Whether its bytes are not those that were committed."""
        found = _sha256(self.manifest), _sha256(self.event.encode())
        return found != (self.manifest_sha256, self.event_sha256)


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
        self._manifests = Exchange(s3, settings.bucket, ClientPut(s3, GZIP))
        self._events = events
        self._clock = clock
        self._monotonic = monotonic
        self._ages = Ages(clock, monotonic)
        backoff = Backoff(settings.backoff_base_seconds, settings.backoff_cap_seconds)
        self._schedule, self._service = Schedule(backoff), Schedule(backoff)
        self._releases = Releases(journal, spool, Schedule(backoff), monotonic)
        self._in_s3: set[str] = set()
        """Keys of manifests that S3 has confirmed, and whose events the bus has not accepted yet."""

    def run_once(self) -> bool:
        """Build what is complete, announce what is built, release what was announced."""
        self._build()
        announced = self._announce()
        return self._releases.run_once() or announced

    def _build(self) -> None:
        now = self._monotonic()
        for sequence in self._complete()[:BUILDS]:
            if not self._schedule.ready(sequence, now):
                continue
            try:
                self._build_one(sequence)
            except UndescribableError as error:  # one series does not hold up the others
                with transaction(self._journal) as journal:
                    journal.execute(
                        "UPDATE series_transfer SET problem = ? WHERE sequence = ?", (str(error), sequence)
                    )
                self._failed(sequence, "manifest cannot be built", str(error))

    def _complete(self) -> list[int]:
        """Sealed, not built, and no instance left that may still be sent."""
        patience = self._settings.series_patience_seconds
        with self._ages.look() as age:
            return [
                row["sequence"]
                for row in self._journal.execute(f"{SENT} ORDER BY stuck > 0, sequence LIMIT 1000").fetchall()
                if not row["stuck"] or age(row["sequence"], row["sealed_at"]) >= patience
            ]

    def _build_one(self, sequence: int) -> None:
        with transaction(self._journal) as journal:
            if journal.execute(f"{SENT} AND sequence = ?", (sequence,)).fetchone() is None:
                return  # an attempt has begun since
            instances.missing(journal, sequence)
            tolerant = self._schedule.failures(sequence) >= TRIES
            link = chain.next_link(journal)
            announcement = build_announcement(journal, sequence, self._settings, link, tolerant=tolerant)
            _into_outbox(journal, sequence, announcement)
            chain.extend(journal, sequence, link, announcement.sha256)
            if announcement.dropped:
                words = f"series transfer {sequence}: {', '.join(announcement.dropped)}"
                channels.notice(journal, channels.ATTRIBUTES_DROPPED, self._clock(), words)
                logs.error("attributes dropped", sequence=sequence, dropped=announcement.dropped)
        self._schedule.done(sequence)

    def _announce(self) -> bool:
        now = self._monotonic()
        if not self._service.ready(SERVICE, now):
            return False
        ready = self._ready(now)
        put_already = self._put_manifests(ready)
        if put_already and (accepted := self._put_events(put_already)):
            self._accepted(accepted)
        return bool(ready)

    def _ready(self, now: float) -> list[Announced]:
        """Oldest first; while the service fails one probe, not the same each time."""
        rows = self._journal.execute(OUTBOX, (ENTRIES + self._schedule.failing(),)).fetchall()
        found = [row["sequence"] for row in rows if self._schedule.ready(row["sequence"], now)]
        if self._service.failures(SERVICE):
            found = sorted(found, key=self._schedule.failures)[:1]
        return [self._row(sequence) for sequence in found[:ENTRIES]]

    def _row(self, sequence: int) -> Announced:
        row = self._journal.execute(ROW, (sequence,)).fetchone()
        return Announced(**{**dict(row), "unsure": bool(row["unsure"])})

    def _put_manifests(self, rows: Sequence[Announced]) -> list[Announced]:
        """Those whose manifest is in S3."""
        done: list[Announced] = []
        for row in rows:
            beat()  # each may wait for a time-out
            if row.altered:
                self._failed(row.sequence, "outbox row was altered", "its hash differs")
                continue
            if row.manifest_key in self._in_s3:
                done.append(row)
                continue
            self._mark(row, unsure=True)
            file = VerifiedFile(io.BytesIO(row.manifest), len(row.manifest), row.manifest_sha256)
            match self._manifests.put(row.manifest_key, file, unsure=row.unsure):
                case ServiceFault() as outcome:
                    self._mark(row, unsure=row.unsure or outcome.unsure)
                    self._service_failed([row], outcome)
                    break
                case ObjectFault() as outcome:
                    self._failed(row.sequence, "manifest upload failed", because(outcome))
                case Foreign(words):
                    with transaction(self._journal) as journal:
                        redraw(journal, row.sequence, row.transfer_id, words, self._clock())
                case _:
                    self._in_s3.add(row.manifest_key)
                    done.append(row)
        return done

    def _mark(self, row: Announced, *, unsure: bool) -> None:
        """On the disk before the first byte goes: what S3 says next is believed."""
        self._journal.execute(
            "UPDATE outbox SET unsure = ?1 WHERE sequence = ?2 AND unsure != ?1", (unsure, row.sequence)
        )

    def _put_events(self, rows: Sequence[Announced]) -> list[Announced]:
        """Those whose event the bus has accepted."""
        bus = self._settings.event_bus
        try:
            answer = self._events.put_events(Entries=[{**row.entry, "EventBusName": bus} for row in rows])
        except (BotoCoreError, ClientError) as error:
            self._service_failed(rows, fault(error))
            return []
        # Entries and results have the same order; FailedEntryCount alone does not say which failed.
        results = answer.get("Entries") or []
        if len(results) != len(rows):
            self._service_failed(rows, ServiceFault("NoEntries", "PutEvents answered without its entries"))
            return []
        accepted: list[Announced] = []
        for row, result in zip(rows, results, strict=True):
            if result.get("EventId") and not result.get("ErrorCode"):
                accepted.append(row)
                continue
            why = ServiceFault(str(result.get("ErrorCode", "NoEventId")), str(result.get("ErrorMessage", "")))
            self._failed(row.sequence, "announcement failed", because(why))
        if not accepted:
            self._service_failed([], why)
        return accepted

    def _failed(self, sequence: int, message: str, reason: str) -> None:
        now = self._monotonic()
        again = self._schedule.failed(sequence, now)
        logs.warning(message, sequence=sequence, error=reason, retry_in=round(again - now, 1))

    def _service_failed(self, rows: Sequence[Announced], outcome: ServiceFault | ObjectFault) -> None:
        for row in rows:
            self._failed(row.sequence, "announcement failed", because(outcome))
        self._service.failed(SERVICE, self._monotonic())
        if isinstance(outcome, ServiceFault):
            with transaction(self._journal) as journal:
                channels.failed(journal, channels.ANNOUNCEMENT, self._clock(), outcome.code, outcome.words)

    def _accepted(self, rows: Sequence[Announced]) -> None:
        """Receipts stay, names go; their places in the spool follow when this is on the disk."""
        for row in rows:
            note_missing(self._journal, self._spool, row.sequence)
        with transaction(self._journal) as journal:
            for row in rows:
                instances.announced(journal, row.sequence, self._clock())
            channels.succeeded(journal, channels.ANNOUNCEMENT, self._clock())
        self._service.done(SERVICE)
        for row in rows:
            self._schedule.done(row.sequence)
            self._in_s3.discard(row.manifest_key)
            facts = json.loads(row.event)
            logs.info("series announced", sequence=row.sequence, **{name: facts[name] for name in LOGGED})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _into_outbox(journal: sqlite3.Connection, sequence: int, announcement: Announcement) -> None:
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
    journal.execute("UPDATE series_transfer SET built = 1, problem = NULL WHERE sequence = ?", (sequence,))


LOGGED = ("correlation_id", "transfer_id", "instance_count", "seal_reason")
# Sealed and not built, with nothing on its way; `stuck`: what is left has a problem, and may yet be sent.
SENT = """
SELECT sequence, sealed_at, stuck FROM series_transfer
 WHERE announced_at IS NULL AND sealed_at IS NOT NULL AND built = 0 AND unsent = 0
"""
OUTBOX = "SELECT sequence FROM outbox ORDER BY sequence LIMIT ?"
ROW = """
SELECT sequence, transfer_id, manifest_key, manifest, manifest_sha256, event, event_sha256, unsure
  FROM outbox JOIN series_transfer USING (sequence) WHERE sequence = ?
"""
