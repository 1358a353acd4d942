"""Uploads: a bounded pool, what is urgent first, every object with a backoff of its own."""

from __future__ import annotations

import queue
import sqlite3
from collections import deque
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from dicom_ingest.contracts.keys import SeriesPrefix
from edge_component.journal import instances
from edge_component.journal.database import transaction
from edge_component.journal.instances import Assigned
from edge_component.line.line import Line
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock
from edge_component.sending.answers import (
    CopyLost,
    Foreign,
    Held,
    LocalError,
    ObjectFault,
    Outcome,
    ServiceFault,
    Stored,
    UnreadableError,
    because,
    fault,
)
from edge_component.sending.exchange import Exchange, FilePut
from edge_component.sending.order import in_order
from edge_component.sending.verified import VerifiedFile, to_be_sent
from edge_component.sending.way import Way
from edge_component.sending.written import Result, discard, write
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

SERVICE = 0
"""The service as a whole has a backoff of its own."""
READ_AHEAD = 4
"""Times as many as may be in flight are claimed in the journal at once."""
RESULT_SECONDS = 0.05
WRITE_SECONDS = 0.1
"""Each write syncs the journal, which the receiver needs too: what ends meanwhile goes with it."""
FORGET_SECONDS = 60.0
LONGEST_REDRAW_SECONDS = 3600.0
"""A new transfer id for the same series: each costs a copy of it in S3."""


class Uploader:
    """Owned by one thread, which calls `run_once`; the pool only reads files and talks to S3."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        spool: Spool,
        settings: Settings,
        s3: Any,
        pool: Executor,
        clock: Clock = MONOTONIC,
        put_file: FilePut | None = None,
        wall: Clock = SYSTEM_CLOCK,
        line: Line | None = None,
    ) -> None:
        """The only one that sends from this journal: attempts of an earlier process have ended.

        `put_file`: how files go that need no parts; by default the client's own way. `line`: what all uploads
        share; by default without a limit.
        """
        self._journal = journal
        self._spool = spool
        self._settings = settings
        self._exchange = Exchange(s3, settings.bucket, put_file)
        self._pool = pool
        self._clock, self._wall = clock, wall
        base, cap = settings.backoff_base_seconds, settings.backoff_cap_seconds
        self._objects, self._service = Schedule(Backoff(base, cap)), Schedule(Backoff(base, cap))
        self._series = Schedule(Backoff(base, max(cap, LONGEST_REDRAW_SECONDS)))
        """Those that were given another transfer id."""
        self._begun_so_far = 0
        self._way = Way(line)
        self._waiting: deque[Assigned] = deque()
        """Claimed, and not begun."""
        self._in_flight: dict[int, Assigned] = {}
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._begun: queue.SimpleQueue[tuple[Assigned, str | None]] = queue.SimpleQueue()
        self._unwritten: list[tuple[Assigned, str | None]] = []
        self._ended: dict[int, Result] = {}
        """Not yet in the journal."""
        self._written_at = self._forgotten_at = clock()
        instances.interrupted(journal)

    def run_once(self) -> bool:
        """Take in what has ended, write it down, start what may start; True: there was something to do."""
        taken = self._take()
        self._way.live(self._live_in_flight())
        self._write()
        started = self._start()
        self._way.live(self._live_in_flight())
        return started or taken

    def failing(self) -> int:
        """Instances that have failed and are still to be sent."""
        return self._objects.failing()

    def _take(self) -> bool:
        """Waits a moment for the first result; the others come as they are."""
        if not self._in_flight:
            return False
        try:
            result = self._results.get(timeout=RESULT_SECONDS)
            while True:
                self._take_one(result)
                result = self._results.get_nowait()
        except queue.Empty:
            return True

    def _take_one(self, result: Result) -> None:
        upload, outcome, now = result.upload, result.outcome, self._clock()
        self._in_flight.pop(upload.instance, None)
        self._ended[upload.instance] = result
        if isinstance(outcome, Stored):
            self._objects.done(upload.instance)
            self._service.done(SERVICE)
            return
        if isinstance(outcome, Held):
            return
        if isinstance(outcome, ServiceFault):
            self._service.failed(SERVICE, now)
        if isinstance(outcome, Foreign):
            again = self._series.failed(upload.sequence, now)
        else:
            again = self._objects.failed(upload.instance, now)
        logs.warning(
            "upload failed",
            sop_instance_uid=upload.sop_instance_uid,
            error=outcome.code if isinstance(outcome, ServiceFault) else type(outcome).__name__,
            reason=because(outcome),
            retry_in=round(again - now, 1),
        )

    def _write(self) -> None:
        """At once where nothing is in flight, else a few times a second."""
        now = self._clock()
        while not self._begun.empty():
            self._unwritten.append(self._begun.get())
        failing = self._service.failures(SERVICE)
        unwanted = [one for one in self._waiting if failing or self._way.line.paused(bulk=one.bulk)]
        soon = self._in_flight and not self._unwritten and now - self._written_at < WRITE_SECONDS
        if (soon and not unwanted) or not (self._unwritten or self._ended or unwanted):
            return
        with transaction(self._journal) as journal:
            for upload, upload_id in self._unwritten:
                instances.upload_begun(journal, upload, upload_id)
            instances.hand_back(journal, unwanted)
            for result in self._ended.values():
                write(journal, result, self._wall())
        for result in self._ended.values():
            if isinstance(result.outcome, Stored) and result.upload.compressed:
                discard(self._spool, result.upload.file)
        for one in unwanted:
            self._waiting.remove(one)
        self._unwritten.clear()
        self._ended.clear()
        self._written_at = now

    def _start(self) -> bool:
        now, failing = self._clock(), self._service.failures(SERVICE)
        if not self._service.ready(SERVICE, now):
            return False
        # One probe, then everybody. Not the same object each time: it may be the one at fault.
        most = 1 if failing else self._settings.uploads_in_flight
        overtaken = not failing and self._overtaken(now)
        if len(self._in_flight) >= most and not overtaken:
            return False
        if not self._waiting and (ready := self._ready(now)):
            with transaction(self._journal) as journal:
                claimed = instances.claim(journal, ready[:most] if failing else ready)
            self._waiting.extend(claimed)
        starting = [upload for upload in list(self._waiting) if self._begin(upload, most)]
        for upload in starting:
            self._pool.submit(self._attempt, upload)
        return bool(starting)

    def _begin(self, upload: Assigned, most: int) -> bool:
        """Where there is room; bulk uploads take none from live ones: the pool has twice the threads."""
        if self._way.line.paused(bulk=upload.bulk):
            return False
        busy = len(self._in_flight) if upload.bulk else self._live_in_flight()
        if busy >= most:
            return False
        self._waiting.remove(upload)
        self._in_flight[upload.instance] = upload
        self._begun_so_far += 1
        return True

    def _live_in_flight(self) -> int:
        return sum(not upload.bulk for upload in self._in_flight.values())

    def _overtaken(self, now: float) -> bool:
        """Whether live instances wait: bulk ones that were claimed and not begun are handed back for them."""
        if (
            not (self._waiting or self._in_flight)
            or self._live_in_flight() >= self._settings.uploads_in_flight
        ):
            return False
        if any(not upload.bulk for upload in self._waiting):
            return True
        if not self._candidates(now, 1, bulk=False):
            return False
        if not self._waiting:
            return True
        with transaction(self._journal) as journal:
            instances.hand_back(journal, self._waiting)
        self._waiting.clear()
        return True

    def _candidates(self, now: float, number: int, *, bulk: bool) -> list[Assigned]:
        """Of one priority, that may be tried now."""
        if self._way.line.paused(bulk=bulk):
            return []
        apart = self._in_flight.keys() | self._ended.keys()
        limit = number + len(apart) + self._objects.failing()
        return [
            upload
            for upload in instances.to_send(self._journal, limit, bulk=bulk)
            if upload.instance not in apart
            and self._objects.ready(upload.instance, now)
            and self._series.ready(upload.sequence, now)
        ]

    def _ready(self, now: float) -> list[Assigned]:
        """As `in_order` has it; those that failed least while the service as a whole fails."""
        self._forget(now)
        ahead = READ_AHEAD * self._settings.uploads_in_flight
        live, bulk = (self._candidates(now, ahead, bulk=each) for each in (False, True))
        found = in_order([*live, *bulk], self._begun_so_far)
        if self._service.failures(SERVICE):
            found.sort(key=lambda upload: self._objects.failures(upload.instance))
        return found[:ahead]

    def _forget(self, now: float) -> None:
        """What was announced as missing is not waited for any more."""
        if self._objects.failing() and now - self._forgotten_at >= FORGET_SECONDS:
            self._forgotten_at = now
            self._objects.keep(lambda instance: instances.is_assigned(self._journal, instance))

    def _attempt(self, upload: Assigned) -> None:
        """In the pool."""
        try:
            result = self._send(upload)
        except BaseException as error:
            self._results.put(Result(upload, ServiceFault(type(error).__name__, str(error), unsure=True)))
            raise
        self._results.put(result)

    def _send(self, upload: Assigned) -> Result:
        """The file as it was received, or its proved compressed copy; or not at all."""
        try:
            file = to_be_sent(self._spool, upload)
        except (LocalError, UnreadableError) as error:
            return Result(upload, _of_the_copy(fault(error), upload))
        with file:
            if not upload.compressed:
                upload = replace(upload, file_sha256=file.sha256)
            return Result(upload, _of_the_copy(self._put(upload, file), upload))

    def _put(self, upload: Assigned, file: VerifiedFile) -> Outcome:
        prefix = SeriesPrefix(
            self._settings.edge, upload.transfer_id, upload.study_instance_uid, upload.series_instance_uid
        )
        key, part_bytes = prefix.instance(upload.sop_instance_uid), self._settings.multipart_bytes
        gate = file.gate = self._way.gate(bulk=upload.bulk)
        if file.bytes <= part_bytes:
            return self._exchange.put(key, file, unsure=upload.unsure)
        return self._exchange.put_in_parts(
            key,
            file,
            part_bytes,
            upload.upload_id,
            lambda begun: self._begun.put((upload, begun)),
            unsure=upload.unsure,
            gate=gate,
        )


def _of_the_copy(outcome: Outcome, upload: Assigned) -> Outcome:
    """A damaged file is not the instance's own fault where it is a compressed copy."""
    if upload.compressed and isinstance(outcome, ObjectFault) and outcome.damaged:
        return CopyLost(f"compressed copy: {outcome.reason}")
    return outcome
