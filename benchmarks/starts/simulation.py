"""Executions on a simulated clock: each step takes its place in time, and runs the index's own code."""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from benchmarks.starts import rows
from benchmarks.starts.arrivals import BULK, Series
from benchmarks.starts.clock import Clocked
from benchmarks.starts.service import HealthImaging
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import ImportState, SemaphoreSettings
from dicom_ingest.db.semaphore import bundles, granting, queueing, releasing
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.series import ending, imports
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.healthimaging.polling import FIRST_POLL_SECONDS, poll_after, with_jitter
from statemachines.history import ordinary

STEP_SECONDS = 0.5
"""A function of the workflow, with the transition to it: assumed."""
THROTTLED_SECONDS = 3.0
"""Until a throttled start is tried again: the state machine's first retry, about."""
SHOWN_EVERY_SECONDS = 10
TRANSITIONS_OF_A_POLL = ordinary(1).transitions - ordinary(0).transitions

# All members but the leader, as RecordImageSets and ReleaseImportSlot of each of them leave them.
_END_MEMBERS = """
WITH ended AS (
    UPDATE ahlijob SET state = 'DONE', over_at = clock_timestamp(), import_over_at = clock_timestamp(),
        outcome = 'COMPLETED', task_token = NULL
    WHERE bundle = :bundle AND NOT leads AND live RETURNING series_transfer_pk)
UPDATE series_transfer t SET state = 'OVER', outcome = 'COMPLETED', over_at = clock_timestamp()
FROM ended WHERE t.pk = ended.series_transfer_pk
"""


@dataclass
class Seen:
    """What happened. `latency`: seconds from the event of a live series to its outcome."""

    series: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Ended, by priority."""
    last_end: float = 0.0
    polls: int = 0
    latency: list[float] = field(default_factory=list)
    acquire_ms: list[float] = field(default_factory=list)
    start_ms: list[float] = field(default_factory=list)
    release_ms: list[float] = field(default_factory=list)
    grants: int = 0
    """Slots that were given; a bundle has one."""
    grant_seconds: float = 0.0
    bundle_sizes: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Series of each import that has ended, by priority."""


class Simulation:
    """One data store. `every_member`: the steps of members run one by one too, and are timed."""

    def __init__(
        self,
        index: Clocked,
        service: HealthImaging,
        settings: SemaphoreSettings,
        *,
        every_member: bool = False,
    ) -> None:
        self.index, self.service, self.seen = index, service, Seen()
        self._every_member = every_member
        self._series: dict[int, Series] = {}
        self._members: dict[int, list[Series]] = {}
        self._begun: dict[int, float] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        with index.transaction() as connection:
            queueing.configure(connection, settings)
            connection.run("UPDATE semaphore SET next_start = clock_timestamp()")

    # --- what comes in -----------------------------------------------------------------------------------

    def archive(self, transfers: list[list[Series]]) -> None:
        """Tickets of whole transfers that wait already."""
        several = [series for transfer in transfers for series in transfer]
        self._series |= {rows.pk(series): series for series in several}
        with self.index.transaction() as connection:
            rows.register(connection, several)
            rows.queue(connection, several)
            connection.run("ANALYZE ahlijob")
            connection.run("ANALYZE series_transfer")

    def announce(self, several: list[Series]) -> None:
        """Series that arrive in the course of time."""
        self._series |= {rows.pk(series): series for series in several}
        for series in several:
            self._at(series.at, lambda series=series: self._acquire(series))  # type: ignore[misc]

    def grant(self) -> None:
        """The grant step, as an operator's change runs it."""
        with self.index.transaction() as connection:
            granted = granting.grant(connection, rows.DATASTORE)
        self._deliver(granted)

    def run(self, until: float, enough: Callable[[], bool], progress: Callable[[], str]) -> None:
        """Let time pass. `progress`: what is shown every few seconds."""
        console, shown = Console(), time.monotonic()
        while self._events and self._events[0][0] <= until and not enough():
            self.index.now, _, happens = heapq.heappop(self._events)
            happens()
            if time.monotonic() - shown > SHOWN_EVERY_SECONDS:
                shown = time.monotonic()
                console.log(f"{self.index.now / 3600:.2f} simulated hours: {progress()}")

    def imports_ended(self) -> int:
        """Whatever their series."""
        return sum(map(len, self.seen.bundle_sizes.values()))

    def series_ended(self) -> int:
        """Of every priority."""
        return sum(self.seen.series.values())

    def every(self, seconds: float, happens: Callable[[], None]) -> None:
        """From now on."""

        def again() -> None:
            happens()
            self._at(self.index.now + seconds, again)

        self._at(self.index.now, again)

    def _at(self, when: float, happens: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, happens))

    # --- the workflow's steps ----------------------------------------------------------------------------

    def _acquire(self, series: Series) -> None:
        with self.index.transaction() as connection:
            rows.register(connection, [series])
        with self._timed(self.seen.acquire_ms), self.index.transaction() as connection:
            queueing.acquire(
                connection, rows.reference(series), rows.execution(series), rows.DATASTORE,
                Token(rows.execution(series)),
            )  # fmt: skip
            granted = self._grant(connection, rows.transfer_id(series))
        self._deliver(granted)

    def _grant(self, connection: Connection, transfer_id: str | None = None) -> list[Ticket]:
        began = time.perf_counter()
        granted = granting.grant(connection, rows.DATASTORE, transfer_id=transfer_id)
        if granted:
            self.seen.grants += len(granted)
            self.seen.grant_seconds += time.perf_counter() - began
        return granted

    def _deliver(self, granted: list[Ticket]) -> None:
        for ticket in granted:
            due = (ticket.start_at - self.index.moment).total_seconds() if ticket.start_at else 0
            self._at(self.index.now + max(STEP_SECONDS, due) + STEP_SECONDS, lambda t=ticket: self._start(t))  # type: ignore[misc]

    def _start(self, ticket: Ticket) -> None:
        job, token = ticket.pk, f"token-{ticket.pk}"
        members = self._members.get(job) or self._of(ticket)
        self._members[job] = members
        with self.index.transaction() as connection:
            imports.intend(connection, job, token, token, "results/")
        files, size = sum(one.files for one in members), sum(one.bytes for one in members)
        if not self.service.start(job, files, size, self.index.now):
            self._at(self.index.now + THROTTLED_SECONDS, lambda: self._start(ticket))
            return
        self._begun[job] = self.index.now
        with self._timed(self.seen.start_ms), self.index.transaction() as connection:
            imports.running(connection, job, token, f"job-{job}", "SUBMITTED")
            granted = self._grant(connection)
        self._deliver(granted)
        self._at(self.index.now + FIRST_POLL_SECONDS, lambda: self._poll(ticket))

    def _of(self, ticket: Ticket) -> list[Series]:
        with self.index.transaction() as connection:
            found = connection.run(
                "SELECT series_transfer_pk FROM ahlijob WHERE pk = :pk OR bundle = :bundle ORDER BY pk",
                pk=ticket.pk,
                bundle=ticket.bundle,
            )
        return [self._series[row["series_transfer_pk"]] for row in found]

    def _poll(self, ticket: Ticket) -> None:
        self.seen.polls += 1
        now, members = self.index.now, self._members[ticket.pk]
        if self.service.over(ticket.pk, now):
            self._at(now + 2 * STEP_SECONDS, lambda: self._record(ticket))
            return
        wait = with_jitter(poll_after(now - self._begun[ticket.pk], shared=len(members) > 1))
        self._at(now + wait, lambda: self._poll(ticket))

    def _record(self, ticket: Ticket) -> None:
        members = self._members.pop(ticket.pk)
        leader, others = members[0], members[1:]
        if ticket.bundle is not None:
            ended = ImportState(status="COMPLETED", poll_after_seconds=0)
            with self.index.transaction() as connection:
                bundles.over(connection, ticket.bundle, ended, "s3://dicom/results/")
        self._end(ticket.pk, leader)
        if others and not self._every_member:
            with self.index.transaction() as connection:
                connection.run(_END_MEMBERS, bundle=ticket.bundle)
        for place, series in enumerate(others):  # told one after the other, each records by itself
            self._ended(series, self.index.now + 2 * STEP_SECONDS + 0.02 * place)
            if self._every_member:
                self._at(self.index.now + 3 * STEP_SECONDS, lambda one=series: self._end(None, one))  # type: ignore[misc]
        self._ended(leader, self.index.now)
        self.seen.bundle_sizes[leader.priority].append(len(members))

    def _end(self, ticket: int | None, series: Series) -> None:
        """Record and release."""
        ref, execution = rows.reference(series), rows.execution(series)
        with self.index.transaction() as connection:
            number = ticket or self._ticket(connection, series)
            imports.import_over(connection, number, "COMPLETED", Outcome.COMPLETED, None)
            ending.finish(connection, ref, execution, Outcome.COMPLETED)
        with self._timed(self.seen.release_ms), self.index.transaction() as connection:
            releasing.release(connection, ref, execution)
            ending.over(connection, ref, execution)
            granted = self._grant(connection, ref.transfer_id)
        self._deliver(granted)

    def _ticket(self, connection: Connection, series: Series) -> int:
        sql = "SELECT pk FROM ahlijob WHERE series_transfer_pk = :pk AND live"
        return int(connection.run(sql, pk=rows.pk(series))[0]["pk"])

    def _ended(self, series: Series, at: float) -> None:
        self.seen.series[series.priority] += 1
        self.seen.last_end = max(self.seen.last_end, at)
        if series.priority != BULK:
            self.seen.latency.append(at - series.at)

    @contextmanager
    def _timed(self, into: list[float]) -> Iterator[None]:
        began = time.perf_counter()
        yield
        into.append(1000 * (time.perf_counter() - began))

    def transitions_a_series(self) -> float:
        """Billed state transitions; members do not poll."""
        return ordinary(0).transitions + TRANSITIONS_OF_A_POLL * self.seen.polls / max(1, self.series_ended())
