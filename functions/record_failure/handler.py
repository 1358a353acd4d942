"""RecordFailure: write down what failed and why, whatever state the execution was in."""

from __future__ import annotations

from dicom_ingest.contracts.events import SeriesCompleteEvent
from dicom_ingest.contracts.outcomes import Outcome
from dicom_ingest.contracts.steps import (
    OutcomeState,
    RecordFailureReply,
    RecordFailureRequest,
    SeriesTransferRef,
    StepError,
)
from dicom_ingest.contracts.wiring import SERIES_OVER
from dicom_ingest.db.series import transfers as series_transfers
from dicom_ingest.db.server.connection import database
from dicom_ingest.errors import ClaimLostError
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow.metrics import count

CAUSE_CHARACTERS = 2000


def record_failure(request: RecordFailureRequest) -> RecordFailureReply:
    """Set the outcome FAILED with the error's name and words; a lost claim is nobody's failure.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    error = StepError.model_validate(request.state["error"])
    error = error.model_copy(update={"Cause": error.Cause[:CAUSE_CHARACTERS]})
    with database().transaction() as connection:
        ref = _series_transfer(request)
        if ref is None:
            ref = series_transfers.claimed_by(connection, _event(request).detail, request.execution_arn)
        outcome = OutcomeState(name=Outcome.FAILED, detail=f"{error.Error}: {error.Cause}".rstrip(": "))
        if error.Error == ClaimLostError.__name__:
            outcome = OutcomeState(
                name=Outcome.IN_PROGRESS_ELSEWHERE, detail="taken over by another execution"
            )
        elif ref is not None:
            series_transfers.finish_unless_lost(
                connection, ref, request.execution_arn, outcome, _datastore(request)
            )
    count(SERIES_OVER, outcome=outcome.name.value)
    return RecordFailureReply.model_validate(
        {
            **{name: request.state.get(name) for name in ("slot", "import", "reason")},
            "import_needed": bool(request.state.get("import_needed")),
            "series_transfer": ref,
            "outcome": outcome,
            "error": error,
        }
    )


def _series_transfer(request: RecordFailureRequest) -> SeriesTransferRef | None:
    found = request.state.get("series_transfer")
    return SeriesTransferRef.model_validate(found) if found else None


def _datastore(request: RecordFailureRequest) -> str | None:
    return (request.state.get("import") or {}).get("datastore_id") or settings().datastore_id


def _event(request: RecordFailureRequest) -> SeriesCompleteEvent:
    return SeriesCompleteEvent.model_validate(request.state)


handler = step(record_failure)
