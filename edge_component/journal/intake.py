"""The receiver's end of the journal: rows of many associations, committed together by one thread."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge_component import logs
from edge_component.clock import SYSTEM_CLOCK, Clock
from edge_component.commitment import Request
from edge_component.journal.commitments import insert_request
from edge_component.journal.database import REFUSED_STATUS, JournalError, count, open_journal, transaction

Change = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True)
class AssociationRow:
    """Who sends. `association`: a name drawn by the receiver."""

    association: str
    calling_ae: str
    called_ae: str
    peer: str
    opened_at: float


@dataclass(frozen=True)
class InstanceRow:
    """An instance that lies in the spool under `file`; its columns in the journal."""

    association: str
    file: str
    received_at: float
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None
    bytes: int
    file_sha256: str
    dataset_sha256: str
    uid_findings: str
    attributes: str


@dataclass
class _Request:
    change: Change
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


INSERT_INSTANCE = f"""INSERT INTO instance ({", ".join(InstanceRow.__dataclass_fields__)})
    VALUES ({", ".join("?" * len(InstanceRow.__dataclass_fields__))})"""  # noqa: S608 - our own field names
BATCH = 256
REFUSED = (sqlite3.Error, ValueError, OverflowError)
"""A full or broken disk, or a value that SQLite cannot hold."""


def insert_instance(
    connection: sqlite3.Connection, epoch: int, sender: AssociationRow, row: InstanceRow
) -> None:
    """The row of an instance, and its association's where that is new."""
    connection.execute(
        """INSERT INTO association (association, epoch, calling_ae, called_ae, peer, opened_at)
           VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (association) DO NOTHING""",
        (sender.association, epoch, sender.calling_ae, sender.called_ae, sender.peer, sender.opened_at),
    )
    connection.execute(INSERT_INSTANCE, tuple(vars(row).values()))
    count(connection, "instances_received")
    count(connection, "bytes_received", row.bytes)


class Intake:
    """Group commit: whoever waits while the disk is busy shares the next sync."""

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._connection = open_journal(path)
        with transaction(self._connection) as journal:
            cursor = journal.execute("INSERT INTO epoch (started_at) VALUES (?)", (clock(),))
        assert cursor.lastrowid is not None  # noqa: S101 - an INSERT has one
        self.epoch: int = cursor.lastrowid
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False: nothing can be acknowledged any more."""
        return self._thread.is_alive()

    def add_instance(self, sender: AssociationRow, row: InstanceRow) -> None:
        """Returns when the row is on the disk.

        Raises:
            JournalError: it is not, and will not be.
        """
        self.commit(lambda journal: insert_instance(journal, self.epoch, sender, row))

    def close_association(self, association: str, *, aborted: bool) -> None:
        """Queued behind the association's instances; a crash before it is on the disk counts as aborted."""
        closed_at = self._clock()
        self._post(
            lambda journal: journal.execute(
                "UPDATE association SET closed_at = ?, aborted = ? WHERE association = ?",
                (closed_at, aborted, association),
            )
        )

    def heard(self, calling_ae: str) -> None:
        """An application entity has opened an association."""
        heard_at = self._clock()
        self._post(
            lambda journal: journal.execute(
                """INSERT INTO sender VALUES (?, ?)
                   ON CONFLICT (calling_ae)
                   DO UPDATE SET last_association_at = excluded.last_association_at""",
                (calling_ae, heard_at),
            )
        )

    def refused(self, code: int) -> None:
        """An instance was answered with this failure status."""

        def change(journal: sqlite3.Connection) -> None:
            count(journal, "instances_refused")
            count(journal, f"{REFUSED_STATUS}{code:04X}")

        self._post(change)

    def request_commitment(self, request: Request, sender: AssociationRow) -> None:
        """Returns when a storage commitment request is on the disk.

        Raises:
            JournalError: it is not, and will not be.
        """
        now = self._clock()
        self.commit(
            lambda journal: insert_request(journal, request, sender.calling_ae, sender.association, now)
        )

    def commit(self, change: Change) -> None:
        """Apply a change and wait until it is on the disk.

        Raises:
            JournalError: it is not, and will not be.
        """
        request = _Request(change)
        self._queue.put(request)
        while not request.done.wait(1.0):
            if not self._thread.is_alive():
                raise JournalError("the journal's writer is gone")
        if request.error is not None:
            raise JournalError(f"the journal did not take a row: {request.error}") from request.error

    def close(self) -> None:
        """Write what is queued, end the epoch."""
        self._queue.put(None)
        self._thread.join()
        with transaction(self._connection) as journal:
            journal.execute("UPDATE epoch SET ended_at = ? WHERE epoch = ?", (self._clock(), self.epoch))
        self._connection.close()

    def _post(self, change: Change) -> None:
        self._queue.put(_Request(change))

    def _run(self) -> None:
        while True:
            request = self._queue.get()
            batch = [] if request is None else [request]
            last = request is None
            while not last and len(batch) < BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    last = True
                else:
                    batch.append(following)
            self._write(batch)
            if last:
                return

    def _write(self, batch: list[_Request]) -> None:
        if not batch:
            return
        try:
            with transaction(self._connection) as journal:
                for request in batch:
                    request.change(journal)
        except REFUSED as error:
            if len(batch) > 1:  # one bad row must not refuse its neighbours
                for request in batch:
                    self._write([request])
                return
            batch[0].error = error
            logs.error("journal did not take a row", reason=type(error).__name__)
        for request in batch:
            request.done.set()
