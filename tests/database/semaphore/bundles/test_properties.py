"""Bundles under every order of events that hypothesis can think of: the real handlers on real PostgreSQL.

Transfers of several series arrive, whole or not, closed or not; leaders and members are stopped, replayed,
cancelled and raised; imports fail, vanish, say the wrong number; results and wakings are late.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import IngestError
from functions.release_import_slot.handler import handler as release_import_slot
from tests.database.conftest import DATASTORE
from tests.support.workflow.lambda_context import lambda_context
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Run, Steps, steps

PICK = st.integers(min_value=0, max_value=1000)
BADLY = ("FAILED", "server error", "vanishes", "counts wrong", "partial")
OVER = ("COMPLETED", "FAILED", "GONE")


@dataclass
class Actor:
    """An execution; `at`: the step that it takes next."""

    run: Run
    at: str = "acquire"


class Bundles(RuleBasedStateMachine):
    """Rules act as Step Functions, people and accidents do; invariants look at rows and at HealthImaging."""

    def __init__(self, flow: Steps) -> None:
        super().__init__()
        self.flow = flow
        self.actors: list[Actor] = []
        self.capacity = 1
        self.shared_series = [new_uid() for _ in range(3)]
        self.waited: set[int] = set()
        self.last_grant = datetime.now(timezone.utc)
        flow.world.imaging.jobs.clear()
        flow.world.imaging.tokens.clear()
        flow.world.executions.running.clear()
        flow.rows("UPDATE series_transfer SET state = 'OVER' WHERE state <> 'OVER'")
        flow.rows("UPDATE ahlijob SET state = 'CANCELLED', over_at = now() WHERE live")
        with flow.world.database.transaction() as connection:
            queueing.configure(
                connection,
                SemaphoreSettings(
                    datastore_id=DATASTORE, capacity=1, start_rate=1000, start_burst=1000, bundles=True
                ),
            )
        flow.rows("UPDATE semaphore SET capacity = 1, gate = 'OPEN', failed_imports = 0, paused = false")

    # --- what may happen ---------------------------------------------------------------------------------

    @rule(
        count=st.integers(1, 4), queued=st.integers(0, 4), closed=st.booleans(), bulk=st.booleans(),
        meets=st.booleans(),
    )  # fmt: skip
    def a_transfer_arrives(self, count: int, queued: int, closed: bool, bulk: bool, meets: bool) -> None:
        """`meets`: one of its series is one that other transfers have parts of."""
        transfer_id, study = str(uuid4()), new_uid()
        for number in range(count):
            announced = Announced(
                transfer_id=transfer_id,
                study_instance_uid=study,
                series_instance_uid=self.shared_series[count % 3] if meets and not number else new_uid(),
                sop_instance_uids=(new_uid(),),
                priority="bulk" if bulk else "live",
                transfer_series=count if closed and number == count - 1 else None,
            )
            self._begin(announced, queue=number < queued or queued == 4)

    @precondition(lambda self: self._at("acquire"))
    @rule(pick=PICK)
    def a_late_execution_queues(self, pick: int) -> None:
        self._acquire(self._pick("acquire", pick))

    @precondition(lambda self: self._told())
    @rule(
        pick=PICK,
        throttled=st.booleans(),
        meanwhile=st.sampled_from(
            ["nothing", "nothing", "cancelled", "stopped", "failed", "replayed", "granted"]
        ),
    )
    def start_import(self, pick: int, throttled: bool, meanwhile: str = "nothing") -> None:
        """`meanwhile`: what happens between the intention and the answer, to anything that is there."""
        told = self._told()
        actor = told[pick % len(told)]
        actor.run.told()
        if throttled:
            self.flow.world.imaging.failures["StartDICOMImportJob"] = "ThrottlingException"
        self.flow.world.imaging.started = partial(self._meanwhile, meanwhile, pick, actor)
        try:
            state = actor.run.start()
        except IngestError:
            return  # the state machine tries again
        finally:
            self.flow.world.imaging.failures.clear()
            self.flow.world.imaging.started = lambda: None
        status = state["status"]
        if status == "QUEUE_AGAIN":
            actor.at = "acquire"
        elif status == "NOT_NEEDED":
            actor.at = "release"
        else:
            actor.at = "record" if status in OVER else "check"

    def _meanwhile(self, what: str, pick: int, starting: Actor) -> None:
        others = [actor for actor in self._alive() if actor is not starting]
        if what == "cancelled":
            self.an_operator_cancels(pick)
        elif what == "granted":
            self.patience_ends()
        elif what == "replayed":
            self.an_event_is_replayed(pick, force=False)
        elif what == "stopped":
            self.flow.stop((others or [starting])[pick % max(1, len(others))].run)
            self.flow.reclaim()
            self.flow.reclaim()
        elif what == "failed" and others:
            others[pick % len(others)].run.fail("SomeError")
            self._release(others[pick % len(others)])

    @precondition(lambda self: self._submitted())
    @rule(
        pick=PICK,
        how=st.sampled_from(
            ["well", "well", "well", "FAILED", "server error", "vanishes", "counts wrong", "partial"]
        ),
    )
    def a_job_ends(self, pick: int, how: str) -> None:
        jobs = self._submitted()
        self._end(jobs[pick % len(jobs)], how)

    @precondition(lambda self: self._at("check"))
    @rule(pick=PICK)
    def check_import(self, pick: int) -> None:
        actor = self._pick("check", pick)
        state = actor.run.check()
        if state["retry"]:
            actor.at = "start"
        elif state["status"] in OVER:
            actor.at = "record"

    @precondition(lambda self: self._at("record"))
    @rule(pick=PICK, deaf=st.booleans())
    def record_image_sets(self, pick: int, deaf: bool) -> None:
        """`deaf`: Step Functions takes no answers meanwhile."""
        actor = self._pick("record", pick)
        self.flow.world.executions.failure = "ThrottlingException" if deaf else None
        actor.run.record()
        self.flow.world.executions.failure = None
        actor.at = "release"

    @precondition(lambda self: self._at("release"))
    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        self._release(self._pick("release", pick))

    @precondition(lambda self: self._alive())
    @rule(picks=st.lists(PICK, min_size=1, max_size=8))
    def work_goes_on(self, picks: list[int]) -> None:
        """Without trouble: else no import would ever come to its end."""
        steps_ = {
            "acquire": self.a_late_execution_queues,
            "check": self.check_import,
            "release": self.release,
        }
        for pick in picks:
            if self._told():
                self.start_import(pick, throttled=False)
            elif self._at("record"):
                self.record_image_sets(pick, deaf=False)
            elif self._submitted():
                self.a_job_ends(pick, "well")
            else:
                for name, step in steps_.items():
                    if self._at(name):
                        step(pick)
                        break

    @precondition(lambda self: self._alive())
    @rule(picks=st.lists(PICK, min_size=1, max_size=8))
    def work_goes_on_and_on(self, picks: list[int]) -> None:
        self.work_goes_on(picks)

    @rule(count=st.integers(2, 4), bulk=st.booleans())
    def a_whole_transfer_queues(self, count: int, bulk: bool) -> None:
        self.a_transfer_arrives(count, queued=4, closed=True, bulk=bulk, meets=False)

    @precondition(lambda self: self._alive())
    @rule(pick=PICK)
    def a_step_fails(self, pick: int) -> None:
        actor = self._alive()[pick % len(self._alive())]
        actor.run.fail("SomeError")
        self._release(actor)

    @precondition(lambda self: self._alive())
    @rule(pick=PICK)
    def an_execution_is_stopped(self, pick: int) -> None:
        self.flow.stop(self._alive()[pick % len(self._alive())].run)

    @precondition(lambda self: self.actors)
    @rule(pick=PICK, force=st.booleans())
    def an_event_is_replayed(self, pick: int, force: bool) -> None:
        announced = self.actors[pick % len(self.actors)].run.announced
        self.flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
        self._begin(announced, queue=True, **({"replay-name": f"force-{uuid4()}"} if force else {}))

    @rule()
    def reclaim(self) -> None:
        self.flow.reclaim()

    @rule()
    def patience_ends(self) -> None:
        self.flow.rows("UPDATE ahlijob SET created_at = created_at - interval '11 minutes' WHERE live")
        self._grant()

    @rule(capacity=st.integers(0, 3))
    def the_capacity_changes(self, capacity: int) -> None:
        self.capacity = capacity
        self.flow.rows("UPDATE semaphore SET capacity = :capacity", capacity=capacity)
        self._grant()

    @precondition(lambda self: self._live())
    @rule(pick=PICK)
    def an_operator_cancels(self, pick: int) -> None:
        live = self._live()
        with self.flow.world.database.transaction() as connection:
            queue.cancel(connection, live[pick % len(live)]["pk"], "not wanted")
        self._grant()

    @precondition(lambda self: self._live())
    @rule(pick=PICK)
    def an_operator_raises(self, pick: int) -> None:
        live = self._live()
        with self.flow.world.database.transaction() as connection:
            queue.set_priority(connection, live[pick % len(live)]["pk"], -1)
        self._grant()

    # --- what must hold ----------------------------------------------------------------------------------

    @invariant()
    def one_import_of_a_series_at_a_time(self) -> None:
        at_work: Counter[str] = Counter()
        for job in self._submitted():
            at_work.update(self._series_of(job))
        assert [series for series, imports in at_work.items() if imports > 1] == []

    @invariant()
    def every_import_that_runs_has_a_slot(self) -> None:
        held = len(self.flow.rows("SELECT FROM ahlijob WHERE own_slot"))
        assert len(self._submitted()) <= held

    @invariant()
    def grants_keep_to_the_capacity_and_to_the_order(self) -> None:
        """Of what a rule has granted: never above the capacity, none before one that waited all the time.

        A ticket waited all the time if it did before the rule and after it, and never held a slot. Those of
        series that several transfers have, and those that expect the others of their transfer, may be
        overtaken.
        """
        waiting = {
            row["pk"]: row["of"]
            for row in self.flow.rows(
                "SELECT j.pk, t.priority AS of FROM ahlijob j "
                "JOIN series_transfer t ON t.pk = j.series_transfer_pk "
                "WHERE j.state = 'WAITING' AND j.granted_at IS NULL AND NOT j.expects_bundle "
                "AND j.priority = t.priority AND NOT EXISTS (SELECT FROM series_transfer o "
                "WHERE o.transfer_id = j.transfer_id AND o.series_instance_uid = ANY(:shared))",
                shared=self.shared_series,
            )
        }
        holders = self.flow.rows(
            "SELECT j.pk, j.granted_at, t.priority AS of FROM ahlijob j "
            "JOIN series_transfer t ON t.pk = j.series_transfer_pk "
            "WHERE j.own_slot AND j.priority = t.priority"
        )
        granted = [row for row in holders if row["granted_at"] > self.last_grant]
        everything = self.flow.rows("SELECT granted_at FROM ahlijob WHERE own_slot")
        if any(row["granted_at"] > self.last_grant for row in everything):
            assert len(everything) <= self.capacity
        for row in granted:
            overtaken = [
                pk for pk, of in waiting.items()
                if pk in self.waited and (of, pk) < (row["of"], row["pk"])
            ]  # fmt: skip
            assert overtaken == [], row
        self.waited = set(waiting)
        self.last_grant = max([self.last_grant, *(row["granted_at"] for row in everything)])

    @invariant()
    def a_bundle_has_one_leader_and_one_state(self) -> None:
        rows = self.flow.rows(
            "SELECT bundle, count(*) FILTER (WHERE leads) AS leaders, count(DISTINCT state) AS states, "
            "count(DISTINCT client_token) AS tokens, bool_or(shared_over_at IS NOT NULL) AS over "
            "FROM ahlijob WHERE bundle IS NOT NULL AND holds_slot GROUP BY bundle"
        )
        assert [row for row in rows if not row["over"] and row["leaders"] != 1] == []
        assert [row for row in rows if row["states"] != 1 or row["tokens"] > 1] == []

    @invariant()
    def no_ticket_is_lost_and_none_is_there_twice(self) -> None:
        owners = Counter(row["owner_execution"] for row in self._live())
        for actor in self._alive():
            if actor.at != "index" and not (actor.at == "acquire" and not actor.run.token):
                assert owners[actor.run.arn] <= 1, actor
        series = Counter((row["transfer_id"], row["series_instance_uid"]) for row in self._live())
        assert [key for key, count in series.items() if count > 1] == []

    @invariant()
    def nobody_who_may_go_waits_beside_a_free_slot(self) -> None:
        held = self.flow.rows("SELECT series_instance_uid FROM ahlijob WHERE holds_slot")
        used = len(self.flow.rows("SELECT FROM ahlijob WHERE own_slot"))
        shut = self.flow.rows("SELECT FROM semaphore WHERE gate = 'CLOSED'")
        if used < self.capacity and not shut and not self.stale:
            taken = {row["series_instance_uid"] for row in held}
            waiting = self.flow.rows("SELECT * FROM ahlijob WHERE state = 'WAITING' AND NOT expects_bundle")
            idle = [row for row in waiting if row["series_instance_uid"] not in taken]
            assert [row for row in idle if row["priority"] <= 0] == []

    stale = False
    """A dissolved bundle waits for its leader to queue again, which runs the grant step."""

    def teardown(self) -> None:
        """Whatever happened: once all executions have ended, nothing holds a slot, every row has its word."""
        for actor in self.actors:
            self.flow.stop(actor.run)
        for job in self._submitted():
            self._end(job, "well")
        self.the_capacity_changes(3)
        self.flow.rows("UPDATE semaphore SET gate = 'OPEN', failed_imports = 0")
        for _ in range(8):
            self.flow.reclaim()
            self.flow.rows("UPDATE ahlijob SET created_at = created_at - interval '11 minutes' WHERE live")
            for job in self._submitted():
                self._end(job, "well")
        assert self._live() == []
        assert self.flow.rows("SELECT pk FROM series_transfer WHERE state <> 'OVER' OR outcome IS NULL") == []
        self.no_series_was_imported_twice()

    def no_series_was_imported_twice(self) -> None:
        """But by force, or after an import that failed or vanished."""
        done: Counter[tuple[str, str]] = Counter()
        for job in self.flow.world.imaging.jobs.values():
            if job.get("how") in ("well", "counts wrong"):
                transfer = job["inputS3Uri"].split("/")[4]
                done.update((transfer, series) for series in self._series_of(job))
        forced = {
            (row["transfer_id"], row["series_instance_uid"])
            for row in self.flow.rows(
                "SELECT t.transfer_id::text AS transfer_id, t.series_instance_uid FROM forced_import f "
                "JOIN series_transfer t ON t.pk = f.series_transfer_pk"
            )
        }
        assert [key for key, times in done.items() if times > 1 and key not in forced] == []

    # --- how it is done ----------------------------------------------------------------------------------

    def _begin(self, announced: Announced, *, queue: bool, **envelope: Any) -> None:
        run = self.flow.announce(announced, **envelope)
        state = run.index_series()
        actor = Actor(run)
        if not state["import_needed"]:
            self.flow.stop(run)  # another owns it, or there is nothing to import
            return
        self.actors.append(actor)
        if queue:
            self._acquire(actor)

    def _acquire(self, actor: Actor) -> None:
        actor.run.state["slot"] = None
        actor.run.acquire()
        actor.at = "start"

    def _release(self, actor: Actor) -> None:
        actor.run.release()
        actor.at = "over"

    def _grant(self) -> None:
        release_import_slot({"execution_arn": "operator", "state": {}}, lambda_context())

    def _alive(self) -> list[Actor]:
        running = self.flow.world.executions.running
        return [actor for actor in self.actors if actor.run.arn in running and actor.at != "over"]

    def _at(self, step: str) -> list[Actor]:
        return [actor for actor in self._alive() if actor.at == step]

    def _pick(self, step: str, pick: int) -> Actor:
        found = self._at(step)
        return found[pick % len(found)]

    def _told(self) -> list[Actor]:
        answers = self.flow.world.executions.answers
        return [a for a in self._at("start") if isinstance(answers.get(a.run.token), dict)]

    def _submitted(self) -> list[dict[str, Any]]:
        return [job for job in self.flow.world.imaging.jobs.values() if job["jobStatus"] == "SUBMITTED"]

    def _live(self) -> list[dict[str, Any]]:
        return self.flow.rows("SELECT * FROM ahlijob WHERE live ORDER BY pk")

    def _series_of(self, job: dict[str, Any]) -> set[str]:
        return {key.split("/")[3] for key in self._keys_of(job)}

    def _keys_of(self, job: dict[str, Any]) -> list[str]:
        prefix = job["inputS3Uri"].removeprefix("s3://dicom/")
        return [key for key in self.flow.world.s3.objects if key.startswith(prefix)]

    def _end(self, job: dict[str, Any], how: str) -> None:
        job["how"] = how
        if how == "vanishes":
            job["jobStatus"] = "VANISHED"
            self.flow.world.imaging.vanished.add(job["jobId"])
            return
        self.flow.world.imaging.end(job["jobId"], "FAILED" if how == "FAILED" else "COMPLETED")
        if how == "FAILED":
            return
        keys = self._keys_of(job)
        lines = [
            {"inputFile": key, "importResponse": {"imageSetId": key.split("/")[3], "isPrimary": True}}
            for key in keys
        ]
        if how == "partial":
            lines = lines[1:]
        self.flow.world.s3.put_results(
            job,
            imported=len(lines) + (how == "counts wrong"),
            server_errors=1 if how == "server error" else 0,
            image_sets=sorted({key.split("/")[3] for key in keys}),
            success=lines,
        )


def test_bundles_hold_whatever_happens(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with steps(World.around(database, DATASTORE), monkeypatch) as flow:
        run_state_machine_as_test(
            cast("type[Bundles]", lambda: Bundles(flow)),
            settings=settings(
                max_examples=12,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
