"""RecordImageSets: read the import's own results and write which image sets hold the series."""

from __future__ import annotations

from dicom_ingest.contracts.steps import ImportState, OutcomeState, RecordImageSetsRequest
from dicom_ingest.contracts.wiring import SERIES_OVER
from dicom_ingest.db.series import decisions as ingest
from dicom_ingest.db.series import imports
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.healthimaging.imports import results_of
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import datastore_of
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.metrics import count


def record_image_sets(request: RecordImageSetsRequest) -> OutcomeState:
    """Write image sets, a verdict per instance, and the outcome.

    Raises:
        ClaimLostError, ResultsNotYetWrittenError, HealthImagingBusyError, DataStoreGateClosedError,
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    outcome = _record(request, request.import_)
    count(SERIES_OVER, outcome=outcome.name.value)
    return outcome


def _record(request: RecordImageSetsRequest, state: ImportState) -> OutcomeState:
    ref, execution, datastore_id = request.series_transfer, request.execution_arn, datastore_of(state)
    needed = state.status != "NOT_NEEDED"
    results = results_of(clients.medical_imaging(), clients.s3(), datastore_id, state) if needed else None

    def write(connection: Connection) -> OutcomeState:
        ticket = imports.ticket(connection, ref, execution, request.slot.ticket_id)
        if results is None:
            return ingest.record_not_needed(connection, ref, execution, ticket, datastore_id)
        return ingest.record_import(connection, ref, execution, ticket, datastore_id, state, results)

    return database().do(write)


handler = step(record_image_sets)
