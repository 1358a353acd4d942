"""Series transfers that an execution left in a certain state, for the tests of reclaim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from dicom_ingest.contracts.messages.steps import ImportState, OutcomeState
from dicom_ingest.db.index import write as index
from dicom_ingest.db.semaphore import leftovers
from dicom_ingest.db.series import decisions, imports, registering
from dicom_ingest.db.server.connection import Database
from dicom_ingest.healthimaging.imports import client_token
from dicom_ingest.healthimaging.results import ImportResults
from dicom_ingest.upkeep.reclaim import Reclaimer, Settled
from tests.support.workflow.series import BUCKET, Announced
from tests.support.workflow.stand_ins import S3, HealthImaging, StepFunctions
from tests.support.workflow.workers import Execution


@dataclass
class World:
    """A database, and the services as stand-ins."""

    database: Database
    datastore_id: str
    executions: StepFunctions
    imaging: HealthImaging
    s3: S3

    @classmethod
    def around(cls, database: Database, datastore_id: str) -> World:
        """Nothing has happened yet."""
        return cls(database, datastore_id, StepFunctions(), HealthImaging(), S3())

    def begin(self, announced: Announced | None = None) -> Execution:
        """An execution that runs and has indexed its series."""
        execution = Execution(self.database, self.datastore_id, announced)
        self.executions.running.add(execution.arn)
        execution.token = self.executions.issue(execution.arn)
        with self.database.transaction() as connection:
            announced = execution.announced
            pk = registering.find(connection, announced.transfer_id, announced.series_instance_uid)
            index.index(connection, pk, announced.rows(), (execution.arn, execution.ref.fence))
        return execution

    def intend(self, execution: Execution) -> dict[str, Any]:
        """GRANTED to STARTING; what StartDICOMImportJob would be told."""
        ticket, _ = execution.acquire()
        uids = (execution.announced.transfer_id, execution.announced.series_instance_uid)
        token = client_token(self.datastore_id, *uids, ticket.attempt)
        prefix = execution.announced.prefix.results(ticket.attempt)
        with self.database.transaction() as connection:
            imports.intend(connection, ticket.pk, token, f"stack-{ticket.pk}-1", prefix)
        return {
            "datastoreId": self.datastore_id,
            "clientToken": token,
            "jobName": f"stack-{ticket.pk}-1",
            "outputS3Uri": f"s3://{BUCKET}/{prefix}",
        }

    def start(self, execution: Execution) -> str:
        """STARTING to RUNNING; the job's id."""
        order = self.intend(execution)
        job = self.imaging.start_dicom_import_job(**order)["jobId"]
        with self.database.transaction() as connection:
            ticket = self.ticket(execution)["pk"]
            imports.running(connection, ticket, order["clientToken"], job, "SUBMITTED")
        return job

    def end(self, job_id: str, imported: int = 2) -> None:
        """The import completes and writes its results."""
        self.imaging.end(job_id)
        self.s3.put_results(self.imaging.jobs[job_id], imported=imported)

    def record(self, execution: Execution, job_id: str, results: ImportResults | None = None) -> OutcomeState:
        """As RecordImageSets does; by default with nothing in the results."""
        state = ImportState(import_id=job_id, status="COMPLETED")
        results = results or ImportResults()
        with self.database.transaction() as connection:
            ticket = imports.attempt(connection, execution.ref, execution.arn, self.ticket(execution)["pk"])
            return decisions.record_import(
                connection, execution.ref, execution.arn, ticket, self.datastore_id, state, results
            )

    def stop(self, execution: Execution) -> None:
        """Its execution is stopped."""
        self.executions.running.discard(execution.arn)

    def reclaim(self, grace_seconds: float = 0) -> list[Settled]:
        """What one pass does about everything that is not over."""
        with self.database.transaction() as connection:
            found = leftovers.find(connection, self.datastore_id, quiet_seconds=0)
        reclaimer = Reclaimer(
            database=self.database,
            stepfunctions=cast("Any", self.executions),
            medical_imaging=cast("Any", self.imaging),
            s3=cast("Any", self.s3),
            bucket=BUCKET,
            grace_seconds=grace_seconds,
        )
        return [reclaimer.settle(leftover) for leftover in found]

    def ticket(self, execution: Execution) -> dict[str, Any]:
        """Its newest ticket."""
        return self._row(
            "SELECT * FROM ahlijob WHERE transfer_id = :id ORDER BY pk DESC LIMIT 1",
            execution.announced.transfer_id,
        )

    def transfer(self, execution: Execution) -> dict[str, Any]:
        """Its series transfer."""
        return self._row(
            "SELECT * FROM series_transfer WHERE transfer_id = :id", execution.announced.transfer_id
        )

    def _row(self, sql: str, transfer_id: str) -> dict[str, Any]:
        with self.database.transaction() as connection:
            row = connection.one(sql, id=transfer_id)
        assert row is not None
        return row
