"""Storage commitment reports: each peer has a queue of its own, so one that is away delays no other."""

from __future__ import annotations

import heapq
import sqlite3
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from dicom_ingest.contracts.configuration.senders import CommitmentPeer
from edge_component.commitment.delivery import Attempt, OpenAssociations, report_on, report_to
from edge_component.journal.commitments import (
    OpenCommitment,
    close_commitment,
    open_after,
    open_commitment,
)
from edge_component.journal.database import open_journal
from edge_component.records.commitment import DUPLICATE_TRANSACTION, Verdicts, event_information, judge
from edge_component.running import logs
from edge_component.running.backoff import Backoff
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Ages, Clock
from edge_component.running.outage import Outage
from edge_component.running.problem import Problem
from edge_component.running.task import Task
from edge_component.settings import Settings

LOOK_SECONDS = 0.5
LEAST_AGE_SECONDS = 0.5
"""The answer to the request goes first."""
UNKNOWN_SECONDS = 3.0
"""The row of an instance follows its answer, and may follow a request on another association, too."""
UNREACHABLE_SECONDS = 30.0
"""A peer without a configured address may call again within it; then the report cannot be delivered."""
PENDING_MOST_SECONDS = 60.0
"""A request that waits for S3 is looked at again after a tenth of its age, and no later than this."""
STARTS = 50
"""Reports judged in one step, so that a long queue does not hide that the task is alive."""
DAY = 86400.0
ON_ASSOCIATIONS = 8
"""Reports at a time on associations that asked: a sender that does not answer holds one for a minute."""

Deliver = Callable[[OpenCommitment, int, Dataset], Attempt]


class Queue:
    """The open requests of one peer, by the time when each is due. Owned by one thread: `run_once`.

    `pool` delivers: the network is never waited for here.
    """

    def __init__(
        self,
        journal: sqlite3.Connection,
        settings: Settings,
        senders: Sequence[str],
        deliver: Deliver,
        pool: Executor,
        *,
        others: bool = False,
        at_once: int = 1,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        """`senders`: AE titles whose reports go this way; `others`: of all senders but these."""
        self._journal = journal
        self._settings = settings
        self._senders = senders
        self._others = others
        self._deliver = deliver
        self._pool = pool
        self._at_once = at_once
        self._clock = clock
        self._monotonic = monotonic
        self._ages = Ages(clock, monotonic)
        self._backoff = Backoff(max(1.0, settings.backoff_base_seconds), 300.0)
        self._newest = 0
        self._due: list[tuple[float, int]] = []
        self._asked_at: dict[int, float] = {}
        """By the monotonic clock."""
        self._failures: dict[int, int] = {}
        self._delivering: dict[Future[Attempt], tuple[OpenCommitment, Verdicts]] = {}
        self._unreachable = 0
        """Attempts in a row that did not reach the peer."""
        self._not_before = 0.0
        self._outage = Outage(clock)

    def run_once(self) -> bool:
        """Note how deliveries ended, take what is new, deliver what is due; True: more may be due."""
        self._take_ends()
        self._take_new()
        for _ in range(STARTS):
            now = self._monotonic()
            if not self._due or self._due[0][0] > now or not self._has_room():
                return False
            self._consider(heapq.heappop(self._due)[1], now)
        return True

    def facts(self) -> dict[str, Any]:
        """Its state, for `/status`."""
        return {"open": len(self._asked_at), **self._outage.way.fields()}

    def problem(self) -> Problem | None:
        """Why no report gets through."""
        waiting = f"{len(self._asked_at)} requests are open"
        return self._outage.way.problem(
            "storage commitment report", "no-storage-commitment-report", waiting, self._clock()
        )

    def _take_new(self) -> None:
        now = self._monotonic()
        with self._ages.look() as age:
            for number, at in open_after(self._journal, self._newest, self._senders, others=self._others):
                self._newest = number
                self._asked_at[number] = now - age(number, at)
                heapq.heappush(self._due, (self._asked_at[number] + LEAST_AGE_SECONDS, number))

    def _has_room(self) -> bool:
        """Whether another delivery may start; waits a moment for one that ends."""
        if len(self._delivering) >= self._at_once:
            wait(self._delivering, LOOK_SECONDS, FIRST_COMPLETED)
            self._take_ends()
        return len(self._delivering) < self._at_once

    def _consider(self, number: int, now: float) -> None:
        commitment = open_commitment(self._journal, number)
        if commitment is None:
            self._forget(number)
            return
        age = now - self._asked_at[number]
        if age > self._settings.commitment_days * DAY and (self._unreachable or self._failures.get(number)):
            self._give_up(commitment, self._outage.way.words or "its peer does not take it")
            return
        verdicts = self._verdicts(commitment)
        if verdicts.pending and age < self._settings.commitment_patience_seconds:
            again = now + max(LOOK_SECONDS, min(age / 10, PENDING_MOST_SECONDS))
            self._later(number, min(again, now - age + self._settings.commitment_patience_seconds))
        elif verdicts.unknown and age < UNKNOWN_SECONDS:
            self._later(number, now + LOOK_SECONDS)
        elif now < self._not_before:
            self._later(number, self._not_before)
        else:
            report = event_information(commitment.transaction_uid, verdicts)
            delivery = self._pool.submit(self._deliver, commitment, *report)
            self._delivering[delivery] = commitment, verdicts

    def _verdicts(self, commitment: OpenCommitment) -> Verdicts:
        if commitment.duplicate:
            return Verdicts((), tuple((ref, DUPLICATE_TRANSACTION) for ref in commitment.references), ())
        return judge(self._journal, commitment.references)

    def _take_ends(self) -> None:
        for delivery in [delivery for delivery in self._delivering if delivery.done()]:
            commitment, verdicts = self._delivering.pop(delivery)
            error = delivery.exception()
            attempt = delivery.result() if error is None else Attempt("refused", type(error).__name__)
            self._ended(commitment, verdicts, attempt)

    def _ended(self, commitment: OpenCommitment, verdicts: Verdicts, attempt: Attempt) -> None:
        number, now = commitment.commitment, self._monotonic()
        facts = {"transaction_uid": commitment.transaction_uid, "calling_ae": commitment.calling_ae}
        if attempt.end == "delivered":
            self._outage.succeeded()
            self._unreachable = 0
            committed, failed = len(verdicts.committed), len(verdicts.failed) + len(verdicts.pending)
            logs.info("storage commitment reported", committed=committed, failed=failed, **facts)
            close_commitment(self._journal, number, self._clock(), delivered=True)
            self._forget(number)
        elif attempt.end == "gone":
            if now - self._asked_at[number] > UNREACHABLE_SECONDS:
                self._give_up(commitment, attempt.words)
            else:
                self._later(number, now + LOOK_SECONDS)
        else:
            self._failed(number, attempt, now)
            logs.warning("storage commitment report failed", reason=attempt.words, **facts)

    def _failed(self, number: int, attempt: Attempt, now: float) -> None:
        self._outage.failed(attempt.words)
        if attempt.end == "unreachable":
            self._not_before = now + self._backoff.delay(self._unreachable)
            self._unreachable += 1
            self._later(number, self._not_before)
        else:
            failures = self._failures.get(number, 0)
            self._failures[number] = failures + 1
            self._later(number, now + self._backoff.delay(failures))

    def _give_up(self, commitment: OpenCommitment, why: str) -> None:
        logs.error(
            "storage commitment report cannot be delivered",
            transaction_uid=commitment.transaction_uid,
            calling_ae=commitment.calling_ae,
            reason=why,
        )
        close_commitment(self._journal, commitment.commitment, self._clock(), delivered=False)
        self._forget(commitment.commitment)

    def _later(self, number: int, due: float) -> None:
        heapq.heappush(self._due, (due, number))

    def _forget(self, number: int) -> None:
        self._asked_at.pop(number, None)
        self._failures.pop(number, None)


class CommitmentReports:
    """A queue and a task for each configured peer, and one for the senders without an address."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        associations: OpenAssociations,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        peers: dict[CommitmentPeer, list[str]] = {}
        for sender in settings.senders:
            if sender.commitment is not None:
                peers.setdefault(sender.commitment, []).append(sender.calling_ae)
        configured = [ae for aes in peers.values() for ae in aes]
        self._pools: list[Executor] = []

        def pool(workers: int) -> Executor:
            self._pools.append(ThreadPoolExecutor(workers, thread_name_prefix="commitment"))
            return self._pools[-1]

        def to(peer: CommitmentPeer) -> Deliver:
            return lambda _, kind, content: report_to(peer, settings, kind, content, tls=tls)

        def on_association(commitment: OpenCommitment, kind: int, content: Dataset) -> Attempt:
            return report_on(associations, commitment.association, kind, content)

        self._queues = {
            f"{peer.ae} at {peer.host}:{peer.port}": Queue(
                open_journal(path), settings, aes, to(peer), pool(1)
            )
            for peer, aes in peers.items()
        }
        self._queues["on the association that asked"] = Queue(
            open_journal(path),
            settings,
            configured,
            on_association,
            pool(ON_ASSOCIATIONS),
            others=True,
            at_once=ON_ASSOCIATIONS,
        )
        self._tasks = [
            Task(f"commitment reports {name}", queue.run_once, LOOK_SECONDS)
            for name, queue in self._queues.items()
        ]

    def start(self) -> None:
        """Begin."""
        for task in self._tasks:
            task.start()

    def stop(self, seconds: float) -> None:
        """Start no further report."""
        for task in self._tasks:
            task.stop()
        for task in self._tasks:
            task.join(seconds)
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def facts(self) -> dict[str, Any]:
        """The state of each way, for `/status`; ways with nothing to say are left out."""
        found = {name: queue.facts() for name, queue in self._queues.items()}
        return {name: facts for name, facts in found.items() if facts["open"] or facts["tries"]}

    def problems(self) -> list[Problem]:
        """Peers that take no report, and tasks that fail."""
        found = [task.problem for task in self._tasks] + [queue.problem() for queue in self._queues.values()]
        return [problem for problem in found if problem is not None]
