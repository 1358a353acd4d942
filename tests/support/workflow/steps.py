"""The steps of the workflow as their handlers take them: real PostgreSQL, the services as stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.db.server import connection
from dicom_ingest.runtime import clients
from functions.acquire_import_slot.handler import handler as acquire_import_slot
from functions.check_import.handler import handler as check_import
from functions.index_series.handler import handler as index_series
from functions.reclaim_import_slots import handler as reclaim
from functions.record_failure.handler import handler as record_failure
from functions.record_image_sets.handler import handler as record_image_sets
from functions.release_import_slot.handler import handler as release_import_slot
from functions.start_import.handler import handler as start_import
from tests.support.workflow.lambda_context import lambda_context
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import BUCKET, STACK, Announced
from tests.support.workflow.workers import new_execution

STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:ingest"


@dataclass
class Run:
    """One execution: its state, and the series transfer that it is about."""

    steps: Steps
    announced: Announced
    arn: str
    event: dict[str, Any]
    state: dict[str, Any]
    token: str = ""
    """Of the wait for a slot."""

    def index_series(self) -> dict[str, Any]:
        """From the event on."""
        self.state = index_series({"execution_arn": self.arn, "event": self.event}, lambda_context())
        return self.state

    def acquire(self, **token: Any) -> dict[str, Any] | None:
        """Queue; the slot, where it was granted."""
        task = self.token = self.steps.world.executions.issue(self.arn)
        request = {**self._request("series_transfer"), "task_token": task, **token}
        acquire_import_slot(request, lambda_context())
        slot: dict[str, Any] | None = self.steps.world.executions.answers.get(task, self.state.get("slot"))
        self.state["slot"] = slot
        return slot

    def told(self) -> bool:
        """Whether its wait for a slot was answered, perhaps by another's step."""
        slot = self.steps.world.executions.answers.get(self.token)
        self.state["slot"] = slot
        return slot is not None

    def start(self) -> dict[str, Any]:
        """Start the import, or whatever else the step finds right; keeps what the state machine keeps."""
        self.state["import"] = start_import(self._request("series_transfer", "slot"), lambda_context())
        if self.state["import"]["outcome"]:
            self.state["outcome"] = self.state["import"]["outcome"]
        return dict(self.state["import"])

    def check(self) -> dict[str, Any]:
        """Look once."""
        self.state["import"] = check_import(self._request("series_transfer", "import"), lambda_context())
        return dict(self.state["import"])

    def record(self) -> dict[str, Any]:
        """The import's own results."""
        request = self._request("series_transfer", "slot", "import")
        self.state["outcome"] = record_image_sets(request, lambda_context())
        return dict(self.state["outcome"])

    def fail(self, error: str, cause: str = "") -> dict[str, Any]:
        """What a Catch leads to."""
        state = {**(self.state or self.event), "error": {"Error": error, "Cause": cause}}
        self.state = record_failure({"execution_arn": self.arn, "state": state}, lambda_context())
        return self.state

    def release(self) -> dict[str, Any]:
        """At the end."""
        reply = release_import_slot({"execution_arn": self.arn, "state": self.state}, lambda_context())
        self.steps.world.executions.running.discard(self.arn)
        return reply

    def ingest(self, **results: Any) -> dict[str, Any]:
        """All of it, with an import that ends well; the outcome."""
        self.index_series()
        if not self.state["import_needed"]:
            return dict(self.state["outcome"])
        self.acquire()
        if self.start()["status"] == "SUBMITTED":
            self.steps.end(self, **results)
            self.check()
            self.record()
        self.release()
        return dict(self.state["outcome"])

    def row(self) -> dict[str, Any]:
        """Its series transfer."""
        sql = "SELECT * FROM series_transfer WHERE transfer_id = :id AND series_instance_uid = :series"
        (row,) = self.steps.rows(
            sql, id=self.announced.transfer_id, series=self.announced.series_instance_uid
        )
        return row

    def tickets(self) -> list[dict[str, Any]]:
        """Its tickets."""
        return self.steps.rows(
            "SELECT * FROM ahlijob WHERE transfer_id = :id ORDER BY pk", id=self.announced.transfer_id
        )

    def _request(self, *names: str) -> dict[str, Any]:
        return {"execution_arn": self.arn, **{name: self.state[name] for name in names}}


@dataclass
class Steps:
    """The handlers of this process, wired to one database and to stand-ins."""

    world: World

    def announce(self, announced: Announced | None = None, **envelope: Any) -> Run:
        """Put it into S3 and begin an execution for its event."""
        announced = announced or Announced()
        self.world.s3.put_series(announced)
        arn = new_execution()
        self.world.executions.running.add(arn)
        return Run(self, announced, arn, announced.envelope(**envelope), {})

    def end(self, run: Run, status: str = "COMPLETED", **results: Any) -> None:
        """The run's import ends and writes its results: a line per instance, as HealthImaging does."""
        job = run.state["import"]["import_id"]
        self.world.imaging.end(job, status)
        if status == "COMPLETED":
            lines = [
                {
                    "inputFile": run.announced.prefix.instance(sop),
                    "importResponse": {"imageSetId": uuid4().hex, "imageSetVersion": 1, "isPrimary": True},
                }
                for sop in run.announced.sop_instance_uids
            ]
            given: dict[str, Any] = {"imported": len(lines), "success": lines} | results
            self.world.s3.put_results(self.world.imaging.jobs[job], **given)

    def stop(self, run: Run) -> None:
        """Its execution is stopped."""
        self.world.executions.running.discard(run.arn)

    def reclaim(self) -> dict[str, Any]:
        """One pass, told of a change; an hour has gone by for everything that is left."""
        for table, column in (
            *(("series_transfer", column) for column in ("claimed_at", "indexed_at")),
            *(
                ("ahlijob", column)
                for column in (
                    "granted_at",
                    "starting_at",
                    "running_at",
                    "orphaned_at",
                    "shared_over_at",
                )
            ),
        ):
            self.rows(f"UPDATE {table} SET {column} = {column} - interval '1 hour'")
        return reclaim.handler({"Records": [{"body": "a status change"}]}, lambda_context())

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of the index."""
        with self.world.database.transaction() as connection:
            return connection.run(sql, **parameters)

    def semaphore(self) -> dict[str, Any]:
        """Of the configured data store."""
        (row,) = self.rows("SELECT * FROM semaphore ORDER BY configured_at DESC LIMIT 1")
        return row


@contextmanager
def steps(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """The handlers, told by their environment where everything is."""
    for name, value in {
        "STACK": STACK,
        "BUCKET": BUCKET,
        "DATASTORE_ID": world.datastore_id,
        "DATABASE_URL": world.database.url,
        "IMPORT_ROLE_ARN": "arn:aws:iam::123456789012:role/import",
        "STATE_MACHINE_ARN": STATE_MACHINE,
    }.items():
        monkeypatch.setenv(name, value)
    for name, client in {
        "s3": world.s3, "stepfunctions": world.executions, "medical_imaging": world.imaging,
    }.items():  # fmt: skip
        monkeypatch.setattr(clients, name, lambda client=client: client)
    monkeypatch.setattr(reclaim, "watch", reclaim.Watch())
    yield Steps(world)
    connection.database().close()
    connection._database.cache_clear()
