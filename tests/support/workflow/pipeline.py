"""The workflow as it runs locally, without an edge: tests put objects, manifest and event themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.request import ProxyHandler, Request, build_opener

from dicom_ingest.contracts.messages.manifest import encode_manifest
from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.db.server.connection import Database
from local.clients.aws import Clients
from local.runtime import Runtime
from tests.support.machine.waiting import wait_until
from tests.support.workflow.series import Announced

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient

DEADLINE_SECONDS = 150
Found = TypeVar("Found")


class Pipeline:
    """A running pipeline and what tests ask of it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.clients = runtime.clients
        self.state = runtime.state
        self.database = Database(runtime.state.database_url)
        self._described: dict[str, dict[str, Any]] = {}
        self._healthimaging = Clients(runtime.state.aws_url, runtime.state.healthimaging_url)

    def close(self) -> None:
        """Close the test's own database connection."""
        self.database.close()
        self._healthimaging.close()

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of the index."""
        with self.database.transaction() as connection:
            return connection.run(sql, **parameters)

    def upload(self, announced: Announced, without: tuple[str, ...] = ()) -> None:
        """Put its objects (but those of these SOP instances) and its manifest, as an edge does."""
        s3, bucket = self.clients.s3, self.state.bucket
        for number, sop in enumerate(announced.sop_instance_uids, start=1):
            if sop not in without:
                s3.put_object(
                    Bucket=bucket, Key=announced.prefix.instance(sop), Body=announced.body(number, sop)
                )
        body = encode_manifest(announced.manifest()).body
        s3.put_object(Bucket=bucket, Key=str(announced.manifest_key), Body=body)

    def announce(self, announced: Announced, **changes: Any) -> None:
        """Put its event on the bus; `changes` to its detail."""
        detail = announced.event().model_dump(mode="json") | {"bucket": self.state.bucket} | changes
        entry = {
            "Source": "dicom-ingest.edge",
            "DetailType": "Series Complete",
            "Detail": json.dumps(detail),
            "EventBusName": self.runtime.names.bus,
        }
        answer = self.clients.events.put_events(Entries=[entry])  # type: ignore[list-item]
        assert answer["FailedEntryCount"] == 0

    def ingest(self, announced: Announced) -> None:
        """Upload and announce."""
        self.upload(announced)
        self.announce(announced)

    def executions(self, announced: Announced) -> list[dict[str, Any]]:
        """The executions of this series transfer, oldest first."""
        running = {arn for arn, execution in self._described.items() if execution["status"] == "RUNNING"}
        for page in self.clients.stepfunctions.get_paginator("list_executions").paginate(
            stateMachineArn=self.state.state_machine_arn, PaginationConfig={"PageSize": 20}
        ):
            listed = {execution["executionArn"]: execution["status"] for execution in page["executions"]}
            news = listed.keys() - self._described.keys()
            for arn, status in listed.items():
                self._describe(arn, status)
            running -= listed.keys()
            if not news and not running:  # the newest come first
                break
        found = [e for e in self._described.values() if announced.transfer_id in e["input"]]
        return sorted(found, key=lambda execution: execution["startDate"])

    def _describe(self, arn: str, status: str) -> None:
        """What is known of an execution; asked for again only when its status has changed."""
        if arn not in self._described or self._described[arn]["status"] != status:
            self._described[arn] = dict(self.clients.stepfunctions.describe_execution(executionArn=arn))

    def finished(self, announced: Announced, count: int = 1) -> list[dict[str, Any]]:
        """Its executions, once this many have ended."""

        def ended() -> list[dict[str, Any]]:
            over = [e for e in self.executions(announced) if e["status"] != "RUNNING"]
            return over if len(over) >= count else []

        return self.eventually(ended, f"{count} executions of {announced.transfer_id} end")

    def eventually(self, look: Callable[[], Found], what: str) -> Found:
        """What `look` finds, once it finds something, while the pipeline runs."""

        def found() -> Found:
            self.runtime.check()
            return look()

        return wait_until(found, what, DEADLINE_SECONDS)

    def transfer(self, announced: Announced) -> dict[str, Any]:
        """Its row."""
        return self.rows("SELECT * FROM series_transfer WHERE transfer_id = :id", id=announced.transfer_id)[0]

    def tickets(self, announced: Announced) -> list[dict[str, Any]]:
        """Its tickets."""
        return self.rows(
            "SELECT * FROM ahlijob WHERE transfer_id = :id ORDER BY pk", id=announced.transfer_id
        )

    def history(self, execution: dict[str, Any]) -> list[Any]:
        """All events of an execution's history."""
        pages = self.clients.stepfunctions.get_paginator("get_execution_history").paginate(
            executionArn=execution["executionArn"]
        )
        return [event for page in pages for event in page["events"]]

    def states(self, execution: dict[str, Any]) -> list[str]:
        """The states that an execution went through."""
        events = self.history(execution)
        return [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]

    def slots(self, capacity: int, rate: float = 100, burst: int = 100, *, bundles: bool = True) -> None:
        """Set the semaphore and run the grant step, as an operator's change does."""
        with self.database.transaction() as connection:
            queueing.configure(
                connection,
                SemaphoreSettings(
                    datastore_id=self.state.datastore_id,
                    capacity=capacity,
                    start_rate=rate,
                    start_burst=burst,
                    bundles=bundles,
                ),
            )
        self.runtime.invoke("release_import_slot", {"execution_arn": "operator", "state": {}})

    def reclaim_until_over(self, *series: Announced) -> None:
        """Let the clock run on for what is not over, and reclaim, until all of it is."""
        ids = [announced.transfer_id for announced in series]

        def over() -> bool:
            self._age(ids)
            self.runtime.invoke("reclaim_import_slots", {"Records": [{"body": "a status change"}]})
            return not self.rows(
                "SELECT pk FROM series_transfer WHERE transfer_id = ANY(CAST(:ids AS uuid[])) "
                "AND state <> 'OVER'",
                ids=ids,
            )

        self.eventually(over, "reclaim settles all of it")

    def _age(self, transfer_ids: list[str]) -> None:
        """As if ten minutes had gone by for these transfers."""
        for table, columns in (
            ("series_transfer", ("claimed_at", "indexed_at")),
            ("ahlijob", ("granted_at", "starting_at", "running_at", "orphaned_at")),
        ):
            changes = ", ".join(f"{column} = {column} - interval '10 minutes'" for column in columns)
            self.rows(
                f"UPDATE {table} SET {changes} WHERE transfer_id = ANY(CAST(:ids AS uuid[])) "
                "AND state NOT IN ('OVER', 'DONE', 'CANCELLED')",
                ids=transfer_ids,
            )

    def held(self) -> int:
        """How many slots are held."""
        return len(self.rows("SELECT pk FROM ahlijob WHERE holds_slot"))

    def stop(self, announced: Announced) -> None:
        """Stop its running execution, as an operator does in the console."""
        for execution in self.executions(announced):
            if execution["status"] == "RUNNING":
                self.clients.stepfunctions.stop_execution(executionArn=execution["executionArn"])

    def stuck_jobs(self) -> list[str]:
        """Imports that a fault holds."""
        jobs: list[str] = self._control("GET", "stuck", {})["jobs"]
        return jobs

    def let_go(self, job_id: str) -> None:
        """Let a stuck import go on."""
        self._control("POST", f"release/{job_id}", {})

    def fault(self, **fault: Any) -> None:
        """Arm a fault of the HealthImaging emulator."""
        self._control("POST", "faults", fault)

    def clear_faults(self) -> None:
        """Disarm all of them."""
        self._control("DELETE", "faults", {})

    def _control(self, method: str, route: str, body: dict[str, Any]) -> dict[str, Any]:
        request = Request(
            f"{self.state.healthimaging_url}/_control/{route}", method=method, data=json.dumps(body).encode()
        )
        with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def healthimaging(self) -> HealthImagingClient:
        """A client of the emulator, as a viewer would have."""
        return self._healthimaging.medical_imaging

    def replay(self, name: str, since: datetime) -> None:
        """Replay the archive from this moment on."""
        self.clients.events.start_replay(
            ReplayName=name,
            EventSourceArn=self.runtime.names.archive_arn,
            EventStartTime=since,
            EventEndTime=datetime.now(UTC),
            Destination={"Arn": self.runtime.names.bus_arn},
        )
