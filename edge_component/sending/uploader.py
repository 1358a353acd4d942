"""Uploads: a bounded pool, oldest first, every object with a backoff of its own."""

from __future__ import annotations

import queue
import sqlite3
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from edge_component.journal.database import count, transaction
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.clock import MONOTONIC, Clock
from edge_component.sending.answers import ObjectError, RefusedError, UnreadableError, code
from edge_component.sending.objects import ChecksumError, ClientPut, FilePut
from edge_component.sending.upload import Upload, oldest_assigned, problem_of, send
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

SERVICE = 0
"""The service as a whole has a backoff of its own."""
READ_AHEAD = 4
"""Times as many as may be in flight are read from the journal at once."""
RESULT_SECONDS = 0.05
WRITE_SECONDS = 0.1
"""Each write syncs the journal, which the receiver needs too: what ends meanwhile goes with it."""


@dataclass(frozen=True)
class Result:
    """How an attempt ended. `error` None: S3 has it."""

    upload: Upload
    error: BaseException | None = None


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
    ) -> None:
        """`put_file`: how files go that need no parts; by the client where nothing is said."""
        self._journal = journal
        self._spool = spool
        self._settings = settings
        self._s3 = s3
        self._put_file = put_file or ClientPut(s3)
        self._pool = pool
        self._clock = clock
        backoff = Backoff(settings.backoff_base_seconds, settings.backoff_cap_seconds)
        self._objects = Schedule(backoff)
        self._service = Schedule(backoff)
        self._waiting: deque[Upload] = deque()
        self._in_flight: set[int] = set()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._begun: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._ended: dict[int, Result] = {}
        """Not yet in the journal."""
        self._written_at = clock()

    def run_once(self) -> bool:
        """Take in what has ended, write it down, start what may start; True: there was something to do."""
        taken = self._take()
        self._write()
        return self._start() or taken

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
        upload, error = result.upload, result.error
        self._in_flight.discard(upload.instance)
        self._ended[upload.instance] = result
        if error is None:
            self._objects.done(upload.instance)
            self._service.done(SERVICE)
        else:
            self._failed(upload, error)

    def _failed(self, upload: Upload, error: BaseException) -> None:
        now = self._clock()
        problem = problem_of(error)
        again = self._objects.failed(upload.instance, now)
        if problem is None:
            self._service.failed(SERVICE, now)
        logs.warning(
            "upload failed",
            sop_instance_uid=upload.sop_instance_uid,
            error=code(error),
            problem=problem,
            retry_in=round(again - now, 1),
        )

    def _write(self) -> None:
        """At once where nothing is in flight, else a few times a second."""
        now = self._clock()
        begun: list[tuple[str, int]] = []
        while not self._begun.empty():
            begun.append(self._begun.get())
        soon = self._in_flight and not begun and now - self._written_at < WRITE_SECONDS
        if soon or not (begun or self._ended):
            return
        with transaction(self._journal) as journal:
            journal.executemany("UPDATE instance SET upload_id = ? WHERE instance = ?", begun)
            _write_results(journal, list(self._ended.values()))
        self._ended.clear()
        self._written_at = now

    def _start(self) -> bool:
        now = self._clock()
        room = self._settings.uploads_in_flight - len(self._in_flight)
        if self._service.failures(SERVICE):
            # One probe, then everybody. Not the same object each time: it may be the one at fault.
            self._waiting.clear()
            room = min(room, 1 - len(self._in_flight))
        if room <= 0 or not self._service.ready(SERVICE, now):
            return False
        if not self._waiting:
            self._waiting.extend(self._ready(now))
        starting = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        for upload in starting:
            self._in_flight.add(upload.instance)
            self._pool.submit(self._attempt, upload)
        return bool(starting)

    def _ready(self, now: float) -> list[Upload]:
        """Oldest first; those that failed least while the service as a whole fails."""
        apart = self._in_flight | self._ended.keys()
        limit = READ_AHEAD * self._settings.uploads_in_flight + len(apart) + self._objects.failing()
        found = [
            upload
            for upload in oldest_assigned(self._journal, self._settings.edge, limit)
            if upload.instance not in apart and self._objects.ready(upload.instance, now)
        ]
        if self._service.failures(SERVICE):
            found.sort(key=lambda upload: self._objects.failures(upload.instance))
        return found

    def _attempt(self, upload: Upload) -> None:
        """In the pool."""
        try:
            send(
                upload,
                self._spool,
                self._settings,
                self._s3,
                self._put_file,
                lambda begun: self._begun.put((begun, upload.instance)),
            )
        except (UnreadableError, RefusedError, ChecksumError, *ObjectError) as error:
            self._results.put(Result(upload, error))
        except BaseException as error:
            self._results.put(Result(upload, error))
            raise
        else:
            self._results.put(Result(upload))


def _write_results(journal: sqlite3.Connection, results: list[Result]) -> None:
    done = [(result.upload.instance,) for result in results if result.error is None]
    journal.executemany("UPDATE instance SET state = 'uploaded', problem = NULL WHERE instance = ?", done)
    failed = [(problem_of(r.error), r.upload.instance) for r in results if r.error is not None]
    journal.executemany("UPDATE instance SET problem = ?1 WHERE instance = ?2 AND problem IS NOT ?1", failed)
    count(journal, "instances_uploaded", len(done))
    count(journal, "upload_retries", len(failed))
