"""IndexSeries: claim the series transfer, write it to the index, and say whether an import is needed."""

from __future__ import annotations

from dicom_ingest import clients, executions
from dicom_ingest.contracts.events import SeriesComplete
from dicom_ingest.contracts.outcomes import Outcome
from dicom_ingest.contracts.steps import IndexSeriesReply, IndexSeriesRequest, OutcomeState, SeriesTransferRef
from dicom_ingest.contracts.times import rfc3339
from dicom_ingest.db import index, ingest, series_transfers
from dicom_ingest.db.connection import database
from dicom_ingest.db.series_transfers import Claim
from dicom_ingest.settings import settings
from dicom_ingest.step import step
from dicom_ingest.uploads import check_event, list_objects, read_manifest

REINDEX = "reindex-"
FORCE = "force-"


def index_series(request: IndexSeriesRequest) -> IndexSeriesReply:
    """Index the series transfer that the event announces.

    Raises:
        EventRejectedError, ManifestRejectedError, ClaimLostError, DatabaseAwayError, DatabaseConflictError
    """
    event, replay_name = request.event.detail, request.event.replay_name or ""
    check_event(event, settings().stack, settings().bucket)
    with database().transaction() as connection:
        series_transfers.register(connection, event, rfc3339(request.event.time))
    if replay_name.startswith(REINDEX):
        return _reindexed(event)
    claim = _claim(event, request.execution_arn)
    ref = _reference(event, claim.fence)
    if claim.owner != request.execution_arn:
        outcome = OutcomeState(name=Outcome.IN_PROGRESS_ELSEWHERE, detail=f"owned by {claim.owner}")
        return IndexSeriesReply(
            series_transfer=ref, import_needed=False, reason="another execution owns it", outcome=outcome
        )
    manifest = read_manifest(clients.s3(), event)
    objects = list_objects(clients.s3(), event.bucket, event.prefix)
    force = replay_name if replay_name.startswith(FORCE) else None
    with database().transaction() as connection:
        owner = (request.execution_arn, claim.fence)
        indexed = index.index(connection, claim.pk, manifest, objects, owner)
        need = ingest.import_need(
            connection, claim, ref, request.execution_arn, settings().datastore_id, indexed, force
        )
    return IndexSeriesReply(
        series_transfer=ref, import_needed=need.outcome is None, reason=need.reason, outcome=need.outcome
    )


def _claim(event: SeriesComplete, execution: str) -> Claim:
    """Claim it; from an owner who is gone for certain, take it over."""
    with database().transaction() as connection:
        claim = series_transfers.claim(connection, event, execution)
    if claim.owner == execution or claim.touched_lately:
        return claim
    if executions.is_running(clients.stepfunctions(), claim.owner):
        return claim
    with database().transaction() as connection:
        return series_transfers.claim(connection, event, execution, owner_gone=claim.owner)


def _reindexed(event: SeriesComplete) -> IndexSeriesReply:
    """Write the index again and leave everything else alone: no claim, no import."""
    manifest = read_manifest(clients.s3(), event)
    objects = list_objects(clients.s3(), event.bucket, event.prefix)
    with database().transaction() as connection:
        pk = series_transfers.find(connection, event.transfer_id, event.series_instance_uid)
        indexed = index.index(connection, pk, manifest, objects, None)
    return IndexSeriesReply(
        series_transfer=_reference(event, 0),
        import_needed=False,
        reason="a reindex replay",
        outcome=OutcomeState(name=Outcome.INDEXED, instances=indexed.instances),
    )


def _reference(event: SeriesComplete, fence: int) -> SeriesTransferRef:
    return SeriesTransferRef(
        transfer_id=event.transfer_id,
        series_instance_uid=event.series_instance_uid,
        correlation_id=event.correlation_id,
        fence=fence,
    )


handler = step(index_series)
