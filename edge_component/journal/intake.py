"""The receiver's end of the journal: one thread writes down what many associations bring.

An instance's row is on the disk before it is answered, in the receipt behind it (see `receipt`). So the rows
written here need no sync of their own: what a power cut takes from SQLite, the next start has in the files.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_component.journal.commitments import insert_request
from edge_component.journal.database import REFUSED_STATUS, JournalError, count, open_journal, transaction
from edge_component.journal.instances import insert_instances
from edge_component.journal.refusals import count_refusal
from edge_component.journal.releases import seal
from edge_component.journal.senders import heard
from edge_component.records.commitment import Request
from edge_component.records.rows import Arrival, AssociationRow, InstanceRow
from edge_component.running import logs
from edge_component.running.clock import SYSTEM_CLOCK, Clock

Change = Callable[[sqlite3.Connection], object]

BATCH = 1000
GATHER_SECONDS = 0.02
"""No sender waits for a row of an instance: a few more may come."""
AGAIN_SECONDS = 1.0
LONGEST_QUEUE = 50_000
"""Rows in memory. They are on the disk in their files, but a journal so far behind is no journal."""


@dataclass
class _Posted:
    """A change of the journal. `done`: somebody waits until it is on the disk."""

    change: Change
    done: threading.Event | None = None
    error: Exception | None = None


class Intake:
    """Takes rows at any rate and writes them in large transactions, in the order in which they came."""

    def __init__(
        self, path: Path, clock: Clock = SYSTEM_CLOCK, bulk_aes: frozenset[str] = frozenset()
    ) -> None:
        self._clock = clock
        self._queue: queue.SimpleQueue[_Posted | Arrival | None] = queue.SimpleQueue()
        self._connection = open_journal(path)
        with transaction(self._connection) as journal:
            cursor = journal.execute("INSERT INTO epoch (started_at) VALUES (?)", (clock(),))
        assert cursor.lastrowid is not None  # noqa: S101 - an INSERT has one
        self.epoch: int = cursor.lastrowid
        self.problem: str | None = None
        """Why the journal takes nothing at present. It is tried repeatedly."""
        self._bulk_aes = bulk_aes
        self.bulk_bytes = 0
        """Received from `bulk` senders by this process."""
        self._synced = True
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False: nothing can be acknowledged any more."""
        return self._thread.is_alive()

    def ready(self) -> None:
        """Whether rows are taken.

        Raises:
            JournalError: the writer is gone, or hopelessly behind.
        """
        if not self.alive or self._queue.qsize() > LONGEST_QUEUE:
            raise JournalError(self.problem or "the journal's writer is gone")

    def add_instance(self, sender: AssociationRow, row: InstanceRow, /) -> None:
        """Take the row of an instance that is on the disk with its receipt."""
        self._queue.put((sender, row))

    def seal(self, segment: str, records: int) -> None:
        """Nothing is written to a segment of the spool any more; its rows were taken before."""
        self._post(lambda journal: seal(journal, segment, records))

    def settle(self) -> None:
        """Returns when every row that was taken is in the journal.

        Raises:
            JournalError: the writer is gone, or the disk.
        """
        self.commit(lambda _journal: None)

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
        self._post(lambda journal: heard(journal, calling_ae, heard_at))

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        """An instance was answered with this failure status."""
        now = self._clock()

        def change(journal: sqlite3.Connection) -> None:
            count(journal, "instances_refused")
            count(journal, f"{REFUSED_STATUS}{code:04X}")
            count_refusal(journal, code, calling_ae, reason, now)

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
        posted = _Posted(change, threading.Event())
        self._queue.put(posted)
        assert posted.done is not None  # noqa: S101 - just made
        while not posted.done.wait(1.0):
            if not self.alive:
                raise JournalError("the journal's writer is gone")
        if posted.error is not None:
            raise JournalError(f"the journal did not take a row: {posted.error}") from posted.error

    def close(self) -> None:
        """Write what is queued, end the epoch."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()
        self._sync(full=True)
        with transaction(self._connection) as journal:
            journal.execute("UPDATE epoch SET ended_at = ? WHERE epoch = ?", (self._clock(), self.epoch))
        self._connection.close()

    def _post(self, change: Change) -> None:
        self._queue.put(_Posted(change))

    def _run(self) -> None:
        last = False
        while not last:
            batch = [self._queue.get()]
            if isinstance(batch[0], tuple):
                self._closing.wait(GATHER_SECONDS)
            while len(batch) < BATCH and batch[-1] is not None and not self._queue.empty():
                batch.append(self._queue.get())
            last = batch[-1] is None
            self._write([posted for posted in batch if posted is not None])

    def _write(self, batch: list[_Posted | Arrival]) -> None:
        """Write all of it. A caller that waits gets the error; the rest is tried until it is written."""
        while batch:
            waiting = [posted for posted in batch if isinstance(posted, _Posted) and posted.done]
            try:
                self._sync(full=bool(waiting))
                with transaction(self._connection) as journal:
                    self._apply(journal, batch)
                self.problem = None
                rows = (each for each in batch if isinstance(each, tuple))
                self.bulk_bytes += sum(row.bytes for by, row in rows if by.calling_ae in self._bulk_aes)
                batch = []
            except sqlite3.Error as error:
                if self.problem is None:
                    logs.error("journal takes no rows", reason=f"{type(error).__name__}: {error}")
                self.problem = f"the journal takes no rows: {error}"
                for posted in waiting:
                    posted.error = error
                batch = [posted for posted in batch if posted not in waiting]
                if batch and self._closing.wait(AGAIN_SECONDS):
                    logs.error("journal rows left to the next start", rows=len(batch))
                    batch = []
            for posted in waiting:
                assert posted.done is not None  # noqa: S101 - that is why it waits
                posted.done.set()

    def _apply(self, journal: sqlite3.Connection, batch: list[_Posted | Arrival]) -> None:
        arrivals: list[Arrival] = []
        for posted in batch:
            if isinstance(posted, tuple):
                arrivals.append(posted)
                continue
            if arrivals:
                insert_instances(journal, self.epoch, arrivals)
                arrivals = []
            posted.change(journal)
        if arrivals:
            insert_instances(journal, self.epoch, arrivals)

    def _sync(self, *, full: bool) -> None:
        if full != self._synced:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synced = full
