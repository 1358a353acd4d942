"""Uploads: a bounded pool, oldest first, every object with a backoff of its own."""

from __future__ import annotations

import hashlib
import queue
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.keys import SeriesPrefix
from edge_component import logs
from edge_component.backoff import Backoff, Schedule
from edge_component.clock import SYSTEM_CLOCK, Clock
from edge_component.journal.database import count, transaction
from edge_component.s3 import DICOM, READ_BYTES, ChecksumError, MultipartUpload, put
from edge_component.sending import ObjectError, RefusedError, UnreadableError, code, refuses_the_object
from edge_component.settings import Settings
from edge_component.spool import Spool

SERVICE = 0
"""The service as a whole has a backoff of its own."""
DIFFERENT_CHECKSUM = "S3 answered with another checksum"


@dataclass(frozen=True)
class Upload:
    """One instance on its way to its key."""

    instance: int
    file: str
    bytes: int
    file_sha256: str
    upload_id: str | None
    problem: str | None
    prefix: SeriesPrefix
    sop_instance_uid: str

    @property
    def key(self) -> str:
        """Where it goes."""
        return self.prefix.instance(self.sop_instance_uid)


@dataclass(frozen=True)
class Result:
    """How an attempt ended. `error` None: S3 has it. `upload_id`: a multipart upload has begun."""

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
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._settings = settings
        self._s3 = s3
        self._pool = pool
        self._clock = clock
        backoff = Backoff(settings.backoff_base_seconds, settings.backoff_cap_seconds)
        self._objects = Schedule(backoff)
        self._service = Schedule(backoff)
        self._in_flight: set[int] = set()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._begun: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()

    def run_once(self) -> bool:
        """Write down what has ended, start what may start; True: something was done."""
        finished = self._finish()
        return self._start() or finished

    @property
    def idle(self) -> bool:
        """Nothing is on its way."""
        return not self._in_flight

    def _start(self) -> bool:
        now = self._clock()
        if not self._service.ready(SERVICE, now):
            return False
        room = self._settings.uploads_in_flight - len(self._in_flight)
        limit = room + len(self._in_flight) + self._objects.failing()
        ready = [
            upload
            for upload in (_upload(self._settings.edge, row) for row in self._oldest(limit))
            if upload.instance not in self._in_flight and self._objects.ready(upload.instance, now)
        ]
        if self._service.failures(SERVICE):
            # One probe, then everybody. Not the same object each time: it may be the one at fault.
            ready.sort(key=lambda upload: self._objects.failures(upload.instance))
            room = min(room, 1 - min(1, len(self._in_flight)))
        for upload in ready[:room]:
            self._in_flight.add(upload.instance)
            self._pool.submit(self._attempt, upload)
        return room > 0 and bool(ready)

    def _oldest(self, limit: int) -> list[sqlite3.Row]:
        return self._journal.execute(OLDEST_ASSIGNED, (max(0, limit),)).fetchall()

    def _attempt(self, upload: Upload) -> None:
        """In the pool."""
        try:
            send(
                upload,
                self._spool,
                self._settings,
                self._s3,
                lambda begun: self._begun.put((upload.instance, begun)),
            )
        except (UnreadableError, RefusedError, ChecksumError, *ObjectError) as error:
            self._results.put(Result(upload, error))
        except BaseException as error:
            self._results.put(Result(upload, error))
            raise
        else:
            self._results.put(Result(upload))

    def _finish(self) -> bool:
        results: list[Result] = []
        while not self._results.empty():
            results.append(self._results.get())
        begun: list[tuple[int, str]] = []
        while not self._begun.empty():
            begun.append(self._begun.get())
        if not results and not begun:
            return False
        with transaction(self._journal) as journal:
            journal.executemany(
                "UPDATE instance SET upload_id = ? WHERE instance = ?",
                [(upload_id, i) for i, upload_id in begun],
            )
            done = [result.upload.instance for result in results if result.error is None]
            journal.executemany(
                "UPDATE instance SET state = 'uploaded', problem = NULL WHERE instance = ?",
                [(i,) for i in done],
            )
            count(journal, "instances_uploaded", len(done))
            count(journal, "upload_retries", len(results) - len(done))
            for result in results:
                if result.error is not None:
                    self._failed(journal, result.upload, result.error)
        for result in results:
            self._in_flight.discard(result.upload.instance)
            if result.error is None:
                self._objects.done(result.upload.instance)
                self._service.done(SERVICE)
        return True

    def _failed(self, journal: sqlite3.Connection, upload: Upload, error: BaseException) -> None:
        now = self._clock()
        problem = _problem(error)
        journal.execute(
            "UPDATE instance SET problem = ? WHERE instance = ? AND problem IS NOT ?",
            (problem, upload.instance, problem),
        )
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


def send(upload: Upload, spool: Spool, settings: Settings, s3: Any, remember: Callable[[str], None]) -> None:
    """The file as it was received, or not at all.

    Raises:
        UnreadableError, ChecksumError, RefusedError, botocore's errors.
    """
    if upload.problem == DIFFERENT_CHECKSUM:  # the object is there, cannot be overwritten, and is not ours
        raise ChecksumError(upload.key)
    _verify(upload, spool)
    try:
        stream = spool.read(upload.file, upload.bytes)
    except OSError as error:
        raise UnreadableError(f"spool file cannot be read: {error.strerror}") from error
    with stream:
        if upload.bytes > settings.multipart_bytes:
            multipart = MultipartUpload(s3, settings.bucket, upload.key, settings.multipart_bytes)
            multipart.run(stream, upload.upload_id, remember)
        else:
            put(s3, settings.bucket, upload.key, stream, upload.file_sha256, DICOM)


def _verify(upload: Upload, spool: Spool) -> None:
    """The file is what was acknowledged, to the last bit."""
    digest = hashlib.sha256()
    try:
        with spool.read(upload.file, upload.bytes) as stream:
            while piece := stream.read(READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise UnreadableError(f"spool file cannot be read: {error.strerror}") from error
    if digest.hexdigest() != upload.file_sha256:
        raise UnreadableError("spool file was altered")


def _problem(error: BaseException) -> str | None:
    """Why this object, and not the service, is at fault."""
    if isinstance(error, (UnreadableError, RefusedError)):
        return str(error)
    if isinstance(error, ChecksumError):
        return DIFFERENT_CHECKSUM
    if refuses_the_object(error):
        return f"refused by S3: {code(error)}"
    return None


def _upload(edge: str, row: sqlite3.Row) -> Upload:
    prefix = SeriesPrefix(edge, row["transfer_id"], row["study_instance_uid"], row["series_instance_uid"])
    return Upload(
        row["instance"],
        row["file"],
        row["bytes"],
        row["file_sha256"],
        row["upload_id"],
        row["problem"],
        prefix,
        row["sop_instance_uid"],
    )


OLDEST_ASSIGNED = """
SELECT i.instance, i.file, i.bytes, i.file_sha256, i.upload_id, i.problem, i.sop_instance_uid,
       t.transfer_id, t.study_instance_uid, t.series_instance_uid
  FROM instance i JOIN series_transfer t USING (sequence)
 WHERE i.state = 'assigned' ORDER BY i.instance LIMIT ?
"""
