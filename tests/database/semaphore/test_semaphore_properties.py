"""The semaphore under every order of events that hypothesis can think of, on real PostgreSQL.

Executions queue, crash, are taken over, start imports, die with them, and release; deliveries are lost or
accepted without a record of it; an operator pauses and changes the capacity; the gate closes and opens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import ImportState, SemaphoreSettings, SeriesTransferRef
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.db.semaphore import gate, granting, leftovers, queueing, releasing
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.series import decisions, ending, imports
from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.healthimaging.imports import client_token
from dicom_ingest.healthimaging.results import ImportResults
from dicom_ingest.upkeep.reclaim import Reclaimer
from dicom_ingest.workflow.delivery import answer, deliver
from tests.support.workflow.series import BUCKET, Announced, new_uid
from tests.support.workflow.stand_ins import S3, HealthImaging, StepFunctions
from tests.support.workflow.workers import claim, new_execution

LIVE = ("WAITING", "GRANTED", "STARTING", "RUNNING")
HOLDING = ("GRANTED", "STARTING", "RUNNING")
PICK = st.integers(min_value=0, max_value=1000)
FATE = st.sampled_from(["delivered", "delivered", "lost", "record lost"])


@dataclass
class Actor:
    """One execution. `tokens`: every task token it was given so far."""

    announced: Announced
    arn: str
    ref: SeriesTransferRef
    tokens: list[str] = field(default_factory=list)
    over: bool = False


class RecordLost(Exception):  # noqa: N818 - what happens, not what went wrong
    """The function dies after Step Functions took the answer and before the index knew."""


class Semaphore(RuleBasedStateMachine):
    """Rules act as functions, people and accidents do; invariants look at the rows."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.datastore_id = uuid4().hex
        self.capacity, self.paused, self.shut = 2, False, False
        self.executions, self.imaging, self.s3 = StepFunctions(), HealthImaging(), S3()
        self.series = [new_uid() for _ in range(6)]
        self.actors: list[Actor] = []
        self.granted_once: set[int] = set()
        with database.transaction() as connection:
            # What a failed example before this one has left.
            connection.run("UPDATE series_transfer SET state = 'OVER' WHERE state <> 'OVER'")
            connection.run(f"UPDATE ahlijob SET state = 'CANCELLED' WHERE state IN {LIVE}")
            queueing.configure(
                connection,
                SemaphoreSettings(
                    datastore_id=self.datastore_id,
                    capacity=2,
                    start_rate=1000,
                    start_burst=1000,
                    bundle_patience=0,
                ),
            )

    # --- what may happen ---------------------------------------------------------------------------------

    @rule(series=PICK, live=st.booleans(), fate=FATE)
    def an_execution_queues(self, series: int, live: bool, fate: str) -> None:
        """Of one of six series, so that parts of one series meet."""
        announced = Announced(
            series_instance_uid=self.series[series % 6],
            sop_instance_uids=(new_uid(),),
            priority="live" if live else "bulk",
        )
        self._begin(announced, None, fate)

    @precondition(lambda self: self._alive())
    @rule(pick=PICK, fate=FATE)
    def acquire_is_tried_again(self, pick: int, fate: str) -> None:
        waiting = [actor for actor in self._alive() if not self._slot(actor)]
        if waiting:
            self._acquire(waiting[pick % len(waiting)], fate)

    @rule(series=PICK, live=st.booleans(), fate=FATE)
    def another_execution_queues(self, series: int, live: bool, fate: str) -> None:
        """Twice as often as anything else: a queue is what this is about."""
        self.an_execution_queues(series, live, fate)

    @precondition(lambda self: self._alive())
    @rule(pick=PICK)
    def an_execution_is_stopped(self, pick: int) -> None:
        actor = self._alive()[pick % len(self._alive())]
        self.executions.running.discard(actor.arn)

    @precondition(lambda self: self._gone())
    @rule(pick=PICK, fate=FATE, dies=st.booleans())
    def a_replay_takes_over(self, pick: int, fate: str, dies: bool) -> None:
        gone = self._gone()[pick % len(self._gone())]
        if dies:  # between its claim and its place in the queue
            with self.database.transaction() as connection:
                assert claim(connection, gone.announced, new_execution(), owner_gone=gone.arn)
        else:
            self._begin(gone.announced, gone.arn, fate)

    @precondition(lambda self: self._holders("GRANTED"))
    @rule(pick=PICK, started=st.booleans(), noted=st.booleans())
    def start_import(self, pick: int, started: bool, noted: bool) -> None:
        """The intention, the call, the note of the job's id: it may end after each of them."""
        actor, ticket = self._one(self._holders("GRANTED"), pick)
        uids = (actor.announced.transfer_id, actor.announced.series_instance_uid)
        token = client_token(self.datastore_id, *uids, ticket["attempt"])
        prefix = actor.announced.prefix.results(ticket["attempt"])
        name = f"stack-{ticket['pk']}-{ticket['attempt']}"
        with self.database.transaction() as connection:
            imports.attempt(connection, actor.ref, actor.arn, ticket["pk"])
            imports.intend(connection, ticket["pk"], token, name, prefix)
        if started:
            job = self.imaging.start_dicom_import_job(
                clientToken=token,
                jobName=name,
                datastoreId=self.datastore_id,
                outputS3Uri=f"s3://{BUCKET}/{prefix}",
            )
            if noted:
                with self.database.transaction() as connection:
                    imports.running(connection, ticket["pk"], token, job["jobId"], "SUBMITTED")

    @precondition(lambda self: self.imaging.jobs)
    @rule(pick=PICK, well=st.booleans())
    def a_job_ends(self, pick: int, well: bool) -> None:
        job_id = sorted(self.imaging.jobs)[pick % len(self.imaging.jobs)]
        if self.imaging.jobs[job_id]["jobStatus"] == "SUBMITTED":
            self._end_job(job_id, "COMPLETED" if well else "FAILED")

    @precondition(lambda self: self._recordable())
    @rule(pick=PICK)
    def record_image_sets(self, pick: int) -> None:
        actor, row = self._one(self._recordable(), pick)
        state = ImportState(import_id=row["import_id"], status="COMPLETED", attempt=row["attempt"])
        with self.database.transaction() as connection:
            ticket = imports.attempt(connection, actor.ref, actor.arn, row["pk"])
            decisions.record_import(
                connection, actor.ref, actor.arn, ticket, self.datastore_id, state, ImportResults()
            )

    @precondition(lambda self: self._alive())
    @rule(pick=PICK, fate=FATE)
    def release(self, pick: int, fate: str) -> None:
        """At the end, or after a failure in any state."""
        actor = self._alive()[pick % len(self._alive())]

        def work(connection: Connection) -> list[Ticket]:
            released = releasing.release(connection, actor.ref, actor.arn)
            if not released.orphaned:
                ending.over(connection, actor.ref, actor.arn)
            return granting.grant(connection, self.datastore_id)

        self._granting(work, fate)
        self.executions.running.discard(actor.arn)
        actor.over = True

    @rule(fate=FATE)
    def reclaim(self, fate: str) -> None:
        with self.database.transaction() as connection:
            undelivered = leftovers.undelivered(connection, quiet_seconds=0)
            found = leftovers.find(connection, self.datastore_id, quiet_seconds=0)
        self._deliver(undelivered, fate)
        reclaimer = Reclaimer(
            database=self.database,
            stepfunctions=cast("Any", self.executions),
            medical_imaging=cast("Any", self.imaging),
            s3=cast("Any", self.s3),
            bucket=BUCKET,
            grace_seconds=0,
        )
        for leftover in found:
            reclaimer.settle(leftover)
        self._granting(lambda connection: granting.grant(connection, self.datastore_id), fate)

    @rule(capacity=st.integers(min_value=0, max_value=3), fate=FATE)
    def an_operator_changes_the_capacity(self, capacity: int, fate: str) -> None:
        self.capacity = capacity
        self._operate(lambda c: queue.set_capacity(c, self.datastore_id, capacity), fate)

    @rule(paused=st.booleans(), fate=FATE)
    def an_operator_pauses_or_resumes(self, paused: bool, fate: str) -> None:
        self.paused = paused
        self._operate(lambda c: queue.set_paused(c, self.datastore_id, paused), fate)

    @rule(shut=st.booleans(), fate=FATE)
    def the_gate_closes_or_opens(self, shut: bool, fate: str) -> None:
        self.shut = shut

        def change(connection: Connection) -> None:
            if shut:
                gate.close(connection, self.datastore_id, "AccessDeniedException")
            else:
                gate.probed(connection, self.datastore_id)

        self._operate(change, fate)

    # --- what must hold ----------------------------------------------------------------------------------

    @invariant()
    def one_holder_per_series(self) -> None:
        held = [row["series_instance_uid"] for row in self._tickets(HOLDING)]
        assert len(held) == len(set(held))

    @invariant()
    def no_ticket_is_lost_and_none_is_there_twice(self) -> None:
        owners = [row["owner_execution"] for row in self._tickets(LIVE)]
        for actor in self._alive():
            assert owners.count(actor.arn) == 1, actor

    @invariant()
    def nobody_eligible_waits_beside_a_free_slot(self) -> None:
        """A bulk series leaves those free that are kept for live series."""
        holders = self._tickets(HOLDING)
        held = {row["series_instance_uid"] for row in holders}
        if len(held) < self.capacity and not self.paused and not self.shut:
            with self.database.transaction() as connection:
                (row,) = connection.run(
                    "SELECT live_needs FROM semaphore WHERE datastore_id = :id", id=self.datastore_id
                )
            most = self.capacity - kept_for_live(self.capacity, max(row["live_needs"]))
            full = sum(row["priority"] > 0 for row in holders) >= most
            waiting = [row for row in self._tickets(("WAITING",)) if not (full and row["priority"] > 0)]
            assert [row for row in waiting if row["series_instance_uid"] not in held] == []

    def teardown(self) -> None:
        """Whatever happened: once everything has ended, nothing holds a slot or a claim."""
        for actor in self.actors:
            self.executions.running.discard(actor.arn)
        for job_id, job in self.imaging.jobs.items():
            if job["jobStatus"] == "SUBMITTED":
                self._end_job(job_id, "COMPLETED")
        self.an_operator_pauses_or_resumes(paused=False, fate="delivered")
        self.the_gate_closes_or_opens(shut=False, fate="delivered")
        self.an_operator_changes_the_capacity(capacity=3, fate="delivered")
        for _ in range(3):
            self.reclaim("delivered")
        assert self._tickets(LIVE) == []
        with self.database.transaction() as connection:
            assert connection.run("SELECT pk FROM series_transfer WHERE state <> 'OVER'") == []

    # --- how it is done ----------------------------------------------------------------------------------

    def _begin(self, announced: Announced, owner_gone: str | None, fate: str) -> None:
        arn = new_execution()
        self.executions.running.add(arn)
        with self.database.transaction() as connection:
            ref = claim(connection, announced, arn, owner_gone=owner_gone)
        assert ref is not None
        actor = Actor(announced, arn, ref)
        self.actors.append(actor)
        self._acquire(actor, fate)

    def _acquire(self, actor: Actor, fate: str) -> None:
        token = self.executions.issue(actor.arn)
        actor.tokens.append(token)
        taken: list[Ticket] = []

        def work(connection: Connection) -> list[Ticket]:
            taken.append(queueing.acquire(connection, actor.ref, actor.arn, self.datastore_id, Token(token)))
            return granting.grant(connection, self.datastore_id)

        self._granting(work, fate)
        if taken[0].state is not TicketState.WAITING and fate == "delivered":
            answer(self.database, cast("Any", self.executions), taken[0])

    def _operate(self, change: Any, fate: str) -> None:
        def work(connection: Connection) -> list[Ticket]:
            change(connection)
            return granting.grant(connection, self.datastore_id)

        self._granting(work, fate)

    def _granting(self, work: Any, fate: str) -> None:
        with self.database.transaction() as connection:
            granted = work(connection)
        self._check_grant(granted)
        self._deliver(granted, fate)

    def _check_grant(self, granted: list[Ticket]) -> None:
        if not granted:
            return
        assert not self.paused
        assert not self.shut
        new = {ticket.pk for ticket in granted}
        assert not new & self.granted_once, "a ticket is granted once"
        self.granted_once |= new
        rows = self._tickets(LIVE)
        held = {row["series_instance_uid"] for row in rows if row["state"] in HOLDING}
        assert len(held) <= self.capacity, "never above the capacity by a grant"
        last = max((row["priority"], row["pk"]) for row in rows if row["pk"] in new)
        skipped = [r for r in rows if r["state"] == "WAITING" and (r["priority"], r["pk"]) < last]
        assert {row["series_instance_uid"] for row in skipped} <= held, "in order, but for a series at work"

    def _deliver(self, granted: list[Ticket], fate: str) -> None:
        if fate == "lost":
            return
        executions: Any = self.executions
        if fate == "record lost":
            executions = DiesAfterTheAnswer(self.executions)
        try:
            replaced = deliver(self.database, executions, self.datastore_id, granted)
        except RecordLost:
            return
        self.granted_once |= {ticket.pk for ticket in replaced}

    def _end_job(self, job_id: str, status: str) -> None:
        self.imaging.end(job_id, status)
        if status == "COMPLETED":
            self.s3.put_results(self.imaging.jobs[job_id], imported=1)

    def _tickets(self, states: tuple[str, ...]) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            return connection.run(
                "SELECT * FROM ahlijob WHERE datastore_id = :id AND state = ANY(:states) ORDER BY pk",
                id=self.datastore_id,
                states=list(states),
            )

    def _alive(self) -> list[Actor]:
        return [a for a in self.actors if not a.over and a.arn in self.executions.running]

    def _gone(self) -> list[Actor]:
        """Those who own a series transfer that is not over, and run no more."""
        with self.database.transaction() as connection:
            rows = connection.run("SELECT owner_execution FROM series_transfer WHERE state <> 'OVER'")
        owners = {row["owner_execution"] for row in rows}
        return [a for a in self.actors if a.arn in owners and a.arn not in self.executions.running]

    def _slot(self, actor: Actor) -> bool:
        return any(token in self.executions.answers for token in actor.tokens)

    def _holders(self, state: str) -> list[tuple[Actor, dict[str, Any]]]:
        """Running executions that were told of their slot, with their ticket in this state."""
        rows = {row["owner_execution"]: row for row in self._tickets((state,))}
        return [(a, rows[a.arn]) for a in self._alive() if a.arn in rows and self._slot(a)]

    def _recordable(self) -> list[tuple[Actor, dict[str, Any]]]:
        jobs = self.imaging.jobs
        return [
            (actor, row)
            for actor, row in self._holders("RUNNING")
            if jobs[row["import_id"]]["jobStatus"] != "SUBMITTED"
        ]

    @staticmethod
    def _one(found: list[tuple[Actor, dict[str, Any]]], pick: int) -> tuple[Actor, dict[str, Any]]:
        return found[pick % len(found)]


class DiesAfterTheAnswer:
    """Step Functions takes the answer, then the function that gave it dies."""

    def __init__(self, executions: StepFunctions) -> None:
        self._executions = executions

    def describe_execution(self, **arguments: Any) -> dict[str, str]:
        return self._executions.describe_execution(**arguments)

    def send_task_success(self, **arguments: Any) -> None:
        self._executions.send_task_success(**arguments)
        raise RecordLost


def test_the_semaphore_holds_whatever_happens(database: Database) -> None:
    run_state_machine_as_test(
        cast("type[Semaphore]", lambda: Semaphore(database)),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # thirty steps can be read; shrinking them takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
