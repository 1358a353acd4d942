"""AcquireImportSlot: take a place in the queue; the slot itself comes as the answer to the task token."""

from __future__ import annotations

from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import AcquireImportSlotReply, AcquireImportSlotRequest
from dicom_ingest.db.semaphore import granting, queueing
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.delivery import answer, deliver


def acquire_import_slot(request: AcquireImportSlotRequest) -> AcquireImportSlotReply:
    """Queue for a slot and run the grant step; who holds one already is answered at once.

    In a bundle whose import is not over a ticket other than its leader's sleeps on.

    Raises:
        ClaimLostError, DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    datastore_id = settings().datastore_id or ""

    def queue_and_grant(connection: Connection) -> tuple[Ticket, list[Ticket]]:
        token = Token(request.task_token, request.entered_at, request.retry)
        ticket = queueing.acquire(
            connection, request.series_transfer, request.execution_arn, datastore_id, token
        )
        granted = granting.grant(connection, datastore_id, transfer_id=request.series_transfer.transfer_id)
        return ticket, granted

    ticket, granted = database().do(queue_and_grant)
    if ticket.state is not TicketState.WAITING and not ticket.asleep:
        answer(database(), clients.stepfunctions(), ticket)  # refused, it comes back with a new one
    deliver(database(), clients.stepfunctions(), datastore_id, granted)
    return AcquireImportSlotReply(ticket_id=ticket.pk, state=ticket.state.value)


handler = step(acquire_import_slot)
