"""The steps of an execution against the index alone, as the functions take them."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from dicom_ingest.contracts.messages.steps import SeriesTransferRef
from dicom_ingest.db.index import write as index
from dicom_ingest.db.index.rows import SeriesRows
from dicom_ingest.db.index.write import Indexed
from dicom_ingest.db.semaphore import granting, queueing, releasing
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.series import claiming, ending, registering
from dicom_ingest.db.server.connection import Connection, Database
from tests.support.workflow.series import Announced


def new_execution() -> str:
    """An execution's ARN."""
    return f"arn:aws:states:us-east-1:123456789012:execution:ingest:{uuid4()}"


def claim(
    connection: Connection, announced: Announced, execution: str, owner_gone: str | None = None
) -> SeriesTransferRef | None:
    """Register and claim; None where another execution owns it."""
    event = announced.event()
    registering.register(connection, event, "2026-11-22T08:02:00Z")
    found = claiming.claim(connection, event, execution, owner_gone=owner_gone)
    if found.owner != execution:
        return None
    return SeriesTransferRef(
        transfer_id=announced.transfer_id,
        series_instance_uid=announced.series_instance_uid,
        correlation_id=event.correlation_id,
        fence=found.fence,
    )


def index_series(database: Database, announced: Announced, execution: str | None = None) -> Indexed:
    """Claim it and write it to the index, all of its objects being in S3."""
    execution = execution or new_execution()
    with database.transaction() as connection:
        ref = claim(connection, announced, execution)
        assert ref is not None
        pk = registering.find(connection, announced.transfer_id, announced.series_instance_uid)
        return index.index(connection, pk, announced.rows(), (execution, ref.fence))


def index_within(connection: Connection, announced: Announced, rows: SeriesRows) -> Indexed:
    """Register it and write these rows to the index, without a claim."""
    registering.register(connection, announced.event(), "2026-11-22T08:02:00Z")
    pk = registering.find(connection, announced.transfer_id, announced.series_instance_uid)
    return index.index(connection, pk, rows, None)


class Execution:
    """One execution's way through the queue."""

    def __init__(self, database: Database, datastore_id: str, announced: Announced | None = None) -> None:
        self.database = database
        self.datastore_id = datastore_id
        self.announced = announced or Announced()
        self.arn = new_execution()
        self.token = str(uuid4())
        with database.transaction() as connection:
            ref = claim(connection, self.announced, self.arn)
        assert ref is not None
        self.ref = ref

    def acquire(self, now: datetime | None = None) -> tuple[Ticket, list[Ticket]]:
        """Queue, then run the grant step: the own ticket as it stood before, and whoever was granted."""
        with self.database.transaction() as connection:
            ticket = queueing.acquire(connection, self.ref, self.arn, self.datastore_id, Token(self.token))
            return ticket, granting.grant(connection, self.datastore_id, now)

    def release(self, now: datetime | None = None) -> list[Ticket]:
        """End the ticket and the claim, then run the grant step."""
        with self.database.transaction() as connection:
            releasing.release(connection, self.ref, self.arn)
            ending.over(connection, self.ref, self.arn)
            return granting.grant(connection, self.datastore_id, now)
