"""ReleaseImportSlot: give the slot back, and with it the next in line its turn."""

from __future__ import annotations

from dicom_ingest.contracts.steps import ReleaseImportSlotReply, ReleaseImportSlotRequest
from dicom_ingest.db.semaphore import tickets as import_slots
from dicom_ingest.db.semaphore.tickets import Released, Ticket
from dicom_ingest.db.series import transfers as series_transfers
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.delivery import deliver, tell_cancelled


def release_import_slot(request: ReleaseImportSlotRequest) -> ReleaseImportSlotReply:
    """End the ticket, free the claim, run the grant step. Idempotent.

    Without a claim it is an operator's change: whose ticket was cancelled is told, then the grant step runs.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    datastore_id = settings().datastore_id or ""
    ref = request.state.series_transfer

    def end_and_grant(connection: Connection) -> tuple[Released, list[Ticket]]:
        released = Released(released=False, orphaned=False)
        if ref is not None:
            released = import_slots.release(connection, ref, request.execution_arn)
            if not released.orphaned:
                series_transfers.over(connection, ref, request.execution_arn)
        return released, import_slots.grant(connection, datastore_id)

    if ref is None:
        tell_cancelled(database(), clients.stepfunctions())
    released, granted = database().do(end_and_grant)
    delivered = deliver(database(), clients.stepfunctions(), datastore_id, granted)
    return ReleaseImportSlotReply(
        released=released.released, orphaned=released.orphaned, granted=len(delivered)
    )


handler = step(release_import_slot)
