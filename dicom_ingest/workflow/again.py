"""Series transfers that go through the workflow once more: an older version was imported over a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_ingest.db.series import registering
from dicom_ingest.db.server.connection import Database
from dicom_ingest.workflow import executions

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def start(database: Database, client: SFNClient, state_machine_arn: str) -> int:
    """Start an execution for each; how many. One that is started twice finds its work done already."""
    with database.transaction() as connection:
        waiting = registering.to_queue_again(connection)
    for event in waiting:
        executions.start(client, state_machine_arn, executions.envelope(event), name="again")
        with database.transaction() as connection:
            registering.queued_again(connection, event)
    return len(waiting)
