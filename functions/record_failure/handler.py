"""RecordFailure: write down what failed and why, whatever state the execution was in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dicom_ingest.contracts.identifiers import SeriesIdentity
from dicom_ingest.contracts.messages.events import SeriesCompleteEvent
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import (
    OutcomeState,
    RecordFailureReply,
    RecordFailureRequest,
    SeriesTransferRef,
    StepError,
)
from dicom_ingest.contracts.platform.wiring import SERIES_OVER
from dicom_ingest.db.series import claiming, ending, registering
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.errors import ClaimLostError
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import logger, step
from dicom_ingest.workflow.metrics import count

CAUSE_CHARACTERS = 2000


def record_failure(request: RecordFailureRequest) -> RecordFailureReply:
    """Set the outcome FAILED with the error's name and words; a lost claim is no failure of the series.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    error = StepError.model_validate(request.state["error"])
    error = error.model_copy(update={"Cause": error.Cause[:CAUSE_CHARACTERS]})
    words = f"{error.Error}: {error.Cause}".rstrip(": ")
    lost = error.Error == ClaimLostError.__name__
    outcome = OutcomeState(name=Outcome.FAILED, detail=words)
    if lost:
        outcome = OutcomeState(name=Outcome.IN_PROGRESS_ELSEWHERE, detail="taken over by another execution")
    with database().transaction() as connection:
        ref = _series_transfer(connection, request, words)
        if ref is not None and not lost:
            ending.finish_unless_lost(connection, ref, request.execution_arn, outcome, _datastore(request))
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


def _series_transfer(
    connection: Connection, request: RecordFailureRequest, words: str
) -> SeriesTransferRef | None:
    """Its claim; an event that cannot be read never got one, and leaves a row that says so."""
    found = request.state.get("series_transfer")
    if found:
        return SeriesTransferRef.model_validate(found)
    detail = request.state.get("detail")
    try:
        identity = SeriesIdentity.model_validate(detail)
    except ValidationError:
        logger.error("an event names no series transfer", detail=detail)
        return None
    if not _readable(request.state) and isinstance(detail, Mapping):
        registering.register_unreadable(connection, detail, words)
    return claiming.claimed_by(
        connection, identity.transfer_id, identity.series_instance_uid, request.execution_arn
    )


def _readable(state: Mapping[str, Any]) -> bool:
    try:
        SeriesCompleteEvent.model_validate(state)
    except ValidationError:
        return False
    return True


def _datastore(request: RecordFailureRequest) -> str | None:
    return (request.state.get("import") or {}).get("datastore_id") or settings().datastore_id


handler = step(record_failure)
