"""StartImport: look once more, write the intention down, then start the import, or find the one there is."""

from __future__ import annotations

from dataclasses import replace

from dicom_ingest.contracts.keys import parse_series_prefix
from dicom_ingest.contracts.outcomes import TicketState
from dicom_ingest.contracts.steps import ImportState, StartImportRequest
from dicom_ingest.db.semaphore import gate
from dicom_ingest.db.semaphore import tickets as import_slots
from dicom_ingest.db.series import imports
from dicom_ingest.db.server.connection import database
from dicom_ingest.errors import DataStoreGateClosedError
from dicom_ingest.healthimaging.imports import ImportOrder, client_token, examine, find_started, start
from dicom_ingest.healthimaging.polling import FIRST_POLL_SECONDS
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.delivery import deliver


def start_import(request: StartImportRequest) -> ImportState:
    """Start the import that the slot is for.

    Raises:
        ClaimLostError, HealthImagingBusyError, DataStoreGateClosedError, ImportRefusedError,
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    ticket = _ticket(request)
    if ticket.state is TicketState.RUNNING and ticket.import_id:
        known = _submitted(ticket, ticket.datastore_id, ticket.import_id)
        state = examine(clients.medical_imaging(), clients.s3(), ticket.datastore_id, known)
        if not state.retry:
            return state
        with database().transaction() as connection:
            imports.next_attempt(connection, ticket.pk, state.status, state.message)
        ticket = _ticket(request)
    elif ticket.state is TicketState.GRANTED and not ticket.forced and _held(ticket):
        return ImportState(
            status="NOT_NEEDED", attempt=ticket.attempt, poll_after_seconds=0, datastore_id=_datastore()
        )
    return _started_elsewhere(request, ticket) or _start(request, ticket)


def _ticket(request: StartImportRequest) -> imports.Ticket:
    with database().transaction() as connection:
        return imports.ticket(
            connection, request.series_transfer, request.execution_arn, request.slot.ticket_id
        )


def _held(ticket: imports.Ticket) -> bool:
    with database().transaction() as connection:
        return imports.held(connection, ticket.series_transfer_pk, _datastore()).outcome is not None


def _started_elsewhere(request: StartImportRequest, ticket: imports.Ticket) -> ImportState | None:
    """The import that an answer was lost of, where the data store was replaced since."""
    if ticket.datastore_id == _datastore() or ticket.client_token is None:
        return None
    order = replace(_order(request, ticket), datastore_id=ticket.datastore_id)
    import_id = find_started(clients.medical_imaging(), clients.s3(), order)
    if import_id is None:
        return None
    with database().transaction() as connection:
        imports.running(connection, ticket.pk, ticket.client_token, import_id, "SUBMITTED")
    return _submitted(ticket, ticket.datastore_id, import_id)


def _start(request: StartImportRequest, ticket: imports.Ticket) -> ImportState:
    order = _order(request, ticket)
    client = clients.medical_imaging()
    with database().transaction() as connection:
        # Looked up and locked again: who lost the claim since must not start anything.
        imports.ticket(connection, request.series_transfer, request.execution_arn, ticket.pk)
        if ticket.datastore_id != order.datastore_id:
            imports.move(connection, ticket.pk, order.datastore_id)
        imports.intend(connection, ticket.pk, order.client_token, order.job_name, order.results_prefix)
    try:
        found = None if ticket.intended_lately else find_started(client, clients.s3(), order)
        import_id = found or start(client, order)
    except DataStoreGateClosedError as error:
        with database().transaction() as connection:
            gate.close(connection, order.datastore_id, str(error))
        raise
    with database().transaction() as connection:
        imports.running(connection, ticket.pk, order.client_token, import_id, "SUBMITTED")
        opened = gate.open_again(connection, order.datastore_id)  # it takes imports, so it is well
        granted = import_slots.grant(connection, order.datastore_id) if opened else []
    deliver(database(), clients.stepfunctions(), order.datastore_id, granted)
    return _submitted(ticket, order.datastore_id, import_id)


def _order(request: StartImportRequest, ticket: imports.Ticket) -> ImportOrder:
    ref = request.series_transfer
    return ImportOrder(
        datastore_id=_datastore(),
        role_arn=settings().import_role_arn,
        bucket=settings().bucket,
        prefix=ticket.prefix,
        results_prefix=parse_series_prefix(ticket.prefix).results(ticket.attempt),
        client_token=client_token(_datastore(), ref.transfer_id, ref.series_instance_uid, ticket.attempt),
        job_name=f"{settings().stack}-{ticket.pk}-{ticket.attempt}",
    )


def _submitted(ticket: imports.Ticket, datastore_id: str, import_id: str) -> ImportState:
    return ImportState(
        import_id=import_id,
        status="SUBMITTED",
        attempt=ticket.attempt,
        poll_after_seconds=FIRST_POLL_SECONDS,
        retried=ticket.retried,
        datastore_id=datastore_id,
    )


def _datastore() -> str:
    return settings().datastore_id or ""


handler = step(start_import)
