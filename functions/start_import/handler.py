"""StartImport: look once more, write the intention down, then start the import, or find the one there is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import cast

from dicom_ingest.contracts.keys import parse_series_prefix
from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import ImportState, ImportStatus, OutcomeState, StartImportRequest
from dicom_ingest.contracts.platform.wiring import IMPORTS_STARTED, SERIES_STARTED
from dicom_ingest.db.semaphore import bundles, gate, granting
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.series import decisions, imports
from dicom_ingest.db.series.imports import Attempt
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.errors import DataStoreGateClosedError, ImportRefusedError
from dicom_ingest.healthimaging.imports import (
    ImportOrder,
    client_token,
    examine,
    find_started,
    results_of,
    start,
)
from dicom_ingest.healthimaging.polling import FIRST_POLL_SECONDS
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.delivery import deliver
from dicom_ingest.workflow.metrics import count

QUEUE_AGAIN_SECONDS = 60
"""How long an execution of an older definition, which polls instead of queueing, waits between two looks."""


def start_import(request: StartImportRequest) -> ImportState:
    """Start the import that the slot is for.

    Raises:
        ClaimLostError, SlotLostError, HealthImagingBusyError, DataStoreGateClosedError, ImportRefusedError,
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    found = database().do(partial(_look, request))
    if isinstance(found, OutcomeState):
        return ImportState(
            status="NOT_NEEDED", poll_after_seconds=0, datastore_id=_datastore(), outcome=found
        )
    if found.state is TicketState.WAITING:
        return _queue_again(found)
    if found.member or found.shared_over:
        return _shared(found)
    if found.state is TicketState.RUNNING and found.import_id:
        return _running(request, found, found.import_id)
    if found.datastore_id != _datastore():
        return _replaced(request, found)
    return _start(request, found)


def _look(request: StartImportRequest, connection: Connection) -> Attempt | OutcomeState:
    """The ticket, with its intention written down where it may start; or why there is nothing to import."""
    ref, execution = request.series_transfer, request.execution_arn
    ticket = imports.attempt(connection, ref, execution, request.slot.ticket_id)
    if ticket.datastore_id != _datastore() or ticket.member:
        return ticket
    if ticket.state is TicketState.GRANTED and decisions.bundle_is_held(connection, ticket):
        return _dissolve(connection, ticket)
    if ticket.state is TicketState.GRANTED and not ticket.forced and ticket.bundle is None:
        outcome = decisions.record_not_needed(connection, ref, execution, ticket, ticket.datastore_id)
        if outcome is not None:
            return outcome
    if ticket.state not in (TicketState.WAITING, TicketState.RUNNING):
        order = _order(request, ticket)
        imports.intend(connection, ticket.pk, order.client_token, order.job_name, order.results_prefix)
    return ticket


def _running(request: StartImportRequest, ticket: Attempt, import_id: str) -> ImportState:
    """The import that runs, or another attempt where it is over and earns one."""
    known = _submitted(ticket, import_id)
    state = examine(clients.medical_imaging(), clients.s3(), ticket.datastore_id, known)
    if not state.retry:
        return state
    results = results_of(clients.medical_imaging(), clients.s3(), ticket.datastore_id, state)

    def another(connection: Connection) -> tuple[bool, list[Ticket]]:
        mine = imports.attempt(connection, request.series_transfer, request.execution_arn, ticket.pk)
        if mine.import_id != import_id:
            return True, []  # another call of this step was faster
        if not decisions.next_attempt(connection, mine, state, _datastore(), results):
            return False, []
        return True, bundles.to_wake(connection, mine.bundle) + granting.grant(connection, _datastore())

    queued, granted = database().do(another)
    deliver(database(), clients.stepfunctions(), _datastore(), granted)
    return _queue_again(ticket) if queued else state.model_copy(update={"retry": False, "retried": True})


def _replaced(request: StartImportRequest, ticket: Attempt) -> ImportState:
    """The data store was replaced: the import whose answer was lost, or a place in the new one's queue."""
    if ticket.client_token is not None:
        order = replace(_order(request, ticket), datastore_id=ticket.datastore_id)
        import_id = find_started(clients.medical_imaging(), clients.s3(), order)
        if import_id is not None:
            with database().transaction() as connection:
                imports.running(connection, ticket.pk, ticket.client_token, import_id, "SUBMITTED")
            return _submitted(ticket, import_id)
    with database().transaction() as connection:
        mine = imports.attempt(connection, request.series_transfer, request.execution_arn, ticket.pk)
        imports.move(connection, mine, _datastore())
    return _queue_again(ticket)


def _start(request: StartImportRequest, ticket: Attempt) -> ImportState:
    order, client = _order(request, ticket), clients.medical_imaging()
    try:
        found = None if ticket.intended_lately else find_started(client, clients.s3(), order)
        import_id = found or start(client, order)
    except DataStoreGateClosedError as error:
        with database().transaction() as connection:
            gate.close(connection, order.datastore_id, str(error))
        raise
    except ImportRefusedError:
        if ticket.bundle is None:
            raise
        with database().transaction() as connection:  # one series must not fail all of them
            mine = imports.attempt(connection, request.series_transfer, request.execution_arn, ticket.pk)
            _dissolve(connection, mine)
        return _queue_again(ticket)
    with database().transaction() as connection:
        series = imports.running(connection, ticket.pk, order.client_token, import_id, "SUBMITTED")
        gate.started(connection, order.datastore_id)
        granted = granting.grant(connection, order.datastore_id)  # the next start is near
    if found is None:
        count(IMPORTS_STARTED)
        count(SERIES_STARTED, series)
    deliver(database(), clients.stepfunctions(), order.datastore_id, granted)
    return _submitted(ticket, import_id)


def _dissolve(connection: Connection, ticket: Attempt) -> Attempt:
    """Its series are imported one by one; its own queues again, as all others do."""
    if ticket.bundle is not None:
        bundles.dissolve(connection, ticket.bundle)
    return replace(ticket, state=TicketState.WAITING, bundle=None, leads=False)


def _shared(ticket: Attempt) -> ImportState:
    """What another execution has seen of the import that they share; sleep on where that is nothing yet."""
    if not ticket.shared_over or ticket.import_status is None:
        return _queue_again(ticket)
    return ImportState(
        import_id=ticket.import_id,
        status=cast("ImportStatus", ticket.import_status),
        attempt=ticket.number,
        poll_after_seconds=0,
        retried=True,
        message=ticket.message,
        datastore_id=ticket.datastore_id,
        bundle=ticket.bundle,
        results_uri=ticket.results_uri,
    )


def _order(request: StartImportRequest, ticket: Attempt) -> ImportOrder:
    ref, prefix = request.series_transfer, parse_series_prefix(ticket.prefix)
    if ticket.bundle is not None:
        return ImportOrder(
            datastore_id=_datastore(),
            role_arn=settings().import_role_arn,
            bucket=settings().bucket,
            prefix=prefix.transfer,
            results_prefix=prefix.bundle_results(ticket.bundle),
            client_token=client_token(_datastore(), ref.transfer_id, f"bundle {ticket.bundle}", 1),
            job_name=f"{settings().stack}-bundle-{ticket.bundle}",
        )
    return ImportOrder(
        datastore_id=_datastore(),
        role_arn=settings().import_role_arn,
        bucket=settings().bucket,
        prefix=ticket.prefix,
        results_prefix=prefix.results(ticket.number),
        client_token=client_token(_datastore(), ref.transfer_id, ref.series_instance_uid, ticket.number),
        job_name=f"{settings().stack}-{ticket.pk}-{ticket.number}",
    )


def _submitted(ticket: Attempt, import_id: str) -> ImportState:
    return ImportState(
        import_id=import_id,
        status="SUBMITTED",
        attempt=ticket.number,
        poll_after_seconds=FIRST_POLL_SECONDS,
        datastore_id=ticket.datastore_id,
        bundle=ticket.bundle,
    )


def _queue_again(ticket: Attempt) -> ImportState:
    return ImportState(
        status="QUEUE_AGAIN",
        attempt=ticket.number,
        poll_after_seconds=QUEUE_AGAIN_SECONDS,
        datastore_id=_datastore(),
    )


def _datastore() -> str:
    return settings().datastore_id or ""


handler = step(start_import)
