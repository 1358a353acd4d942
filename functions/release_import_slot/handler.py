"""ReleaseImportSlot: give the slot back, and with it the next in line its turn."""

from __future__ import annotations

from functools import partial

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import (
    ReleaseImportSlotReply,
    ReleaseImportSlotRequest,
    SeriesTransferRef,
)
from dicom_ingest.contracts.platform.wiring import SERIES_OVER
from dicom_ingest.db.semaphore import granting, releasing
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.releasing import Released
from dicom_ingest.db.series import ending
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow import again, executions
from dicom_ingest.workflow.delivery import deliver, tell_cancelled
from dicom_ingest.workflow.metrics import count


def release_import_slot(request: ReleaseImportSlotRequest) -> ReleaseImportSlotReply:
    """End the ticket, free the claim, run the grant step. Idempotent.

    Without a claim it is an operator's change: whose ticket was cancelled is told, then the grant step runs.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    datastore_id = settings().datastore_id or ""
    ref = request.state.series_transfer
    released = Released(released=False, orphaned=False)
    if ref is None:
        tell_cancelled(database(), clients.stepfunctions())
        granted = database().do(partial(granting.grant, datastore_id=datastore_id))
    else:
        released, granted = database().do(partial(_end_and_grant, request, ref, datastore_id))
        workflow = executions.state_machine_of(request.execution_arn)
        again.start(database(), clients.stepfunctions(), workflow)
    delivered = deliver(database(), clients.stepfunctions(), datastore_id, granted)
    return ReleaseImportSlotReply(
        released=released.released, orphaned=released.orphaned, granted=len(delivered)
    )


def _end_and_grant(
    request: ReleaseImportSlotRequest, ref: SeriesTransferRef, datastore_id: str, connection: Connection
) -> tuple[Released, list[Ticket]]:
    execution, error = request.execution_arn, request.state.error
    released = releasing.release(connection, ref, execution)
    if not released.orphaned:
        words = (
            f"its failure could not be recorded: {error.Error}: {error.Cause}"
            if error
            else "it was not said how"
        )
        if ending.fail_where_unsaid(connection, ref, execution, words[:2000]):
            count(SERIES_OVER, outcome=Outcome.FAILED.value)
        ending.over(connection, ref, execution)
    return released, granting.grant(connection, datastore_id, transfer_id=ref.transfer_id)


handler = step(release_import_slot)
