"""RecordImageSets: read the import's own results and write which image sets hold the series."""

from __future__ import annotations

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import OutcomeState, RecordImageSetsRequest
from dicom_ingest.contracts.platform.wiring import SERIES_OVER
from dicom_ingest.db.semaphore import bundles
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.series import decisions, imports
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.healthimaging.imports import results_of
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import datastore_of
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.delivery import WAKING_SECONDS, deliver
from dicom_ingest.workflow.metrics import count


def record_image_sets(request: RecordImageSetsRequest) -> OutcomeState:
    """Write image sets, a verdict per instance, and the outcome; then wake those who share the import.

    Raises:
        ClaimLostError, ResultsNotYetWrittenError, HealthImagingBusyError, DataStoreGateClosedError,
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    ref, execution, state = request.series_transfer, request.execution_arn, request.import_
    datastore_id = datastore_of(state)
    needed = state.status != "NOT_NEEDED"  # only an older definition comes here with it
    results = results_of(clients.medical_imaging(), clients.s3(), datastore_id, state) if needed else None

    def write(connection: Connection) -> tuple[OutcomeState, list[Ticket]]:
        ticket = imports.attempt(connection, ref, execution, request.slot.ticket_id)
        if results is None:
            outcome = decisions.record_not_needed(connection, ref, execution, ticket, datastore_id)
            return outcome or OutcomeState(name=Outcome.DUPLICATE), []
        said = decisions.record_import(connection, ref, execution, ticket, datastore_id, state, results)
        return said, bundles.to_wake(connection, ticket.bundle) if ticket.leads else []

    outcome, asleep = database().do(write)
    deliver(database(), clients.stepfunctions(), datastore_id, asleep, WAKING_SECONDS)
    count(SERIES_OVER, outcome=outcome.name.value)
    return outcome


handler = step(record_image_sets)
