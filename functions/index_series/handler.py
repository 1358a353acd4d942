"""IndexSeries: claim the series transfer, write it to the index, and say whether an import is needed."""

from __future__ import annotations

from dicom_ingest.contracts.messages.events import SeriesComplete, SeriesCompleteEvent
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import (
    IndexSeriesReply,
    IndexSeriesRequest,
    OutcomeState,
    SeriesTransferRef,
)
from dicom_ingest.contracts.platform.wiring import SERIES_OVER
from dicom_ingest.contracts.times import rfc3339
from dicom_ingest.db.index import write as index
from dicom_ingest.db.index.rows import SeriesRows, series_rows
from dicom_ingest.db.index.write import Indexed
from dicom_ingest.db.semaphore import granting
from dicom_ingest.db.series import claiming, decisions, registering
from dicom_ingest.db.series.claiming import Claim
from dicom_ingest.db.series.decisions import Need
from dicom_ingest.db.server.connection import Connection, database
from dicom_ingest.errors import ClaimLostError
from dicom_ingest.objects.uploads import check_event, list_objects, read_manifest
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.workflow import executions
from dicom_ingest.workflow.delivery import deliver
from dicom_ingest.workflow.metrics import count

REINDEX = "reindex-"
FORCE = "force-"
SHORTEST_WAIT_SECONDS = 5
LONGEST_WAIT_SECONDS = 600


def index_series(request: IndexSeriesRequest) -> IndexSeriesReply:
    """Index the series transfer that the event announces.

    Raises:
        EventRejectedError, ManifestRejectedError, ClaimLostError, IndexRefusedError,
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    event, replay_name = request.event.detail, request.event.replay_name or ""
    check_event(event, settings().stack, settings().bucket)
    if replay_name.startswith(REINDEX):
        return _reindexed(request.event)
    claim = _claim(request.event, request.execution_arn)
    if claim.owner != request.execution_arn:
        return _owned_elsewhere(request.event, claim, forced=replay_name.startswith(FORCE))
    return _indexed(request, claim, replay_name if replay_name.startswith(FORCE) else None)


def _claim(announced: SeriesCompleteEvent, execution: str) -> Claim:
    """Register and claim it; from an owner who is gone for certain, take it over."""
    event, replay_name = announced.detail, announced.replay_name

    def register_and_claim(connection: Connection) -> Claim:
        # In one transaction: what is registered and has no owner would never be watched.
        registering.register(connection, event, rfc3339(announced.time))
        return claiming.claim(connection, event, execution, replay_name=replay_name)

    claim = database().do(register_and_claim)
    if claim.owner == execution or claim.touched_lately:
        return claim
    if executions.is_running(clients.stepfunctions(), claim.owner):
        return claim
    return database().do(
        lambda connection: claiming.claim(
            connection, event, execution, owner_gone=claim.owner, replay_name=replay_name
        )
    )


def _owned_elsewhere(event: SeriesCompleteEvent, claim: Claim, *, forced: bool) -> IndexSeriesReply:
    """Leave it to its owner; a forced import waits until that one has ended, about as long again."""
    ref, reason = _reference(event.detail, claim.fence), f"owned by {claim.owner}"
    if forced:
        seconds = min(max(claim.age_seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
        again = event.model_dump(mode="json", by_alias=True)
        return IndexSeriesReply(
            series_transfer=ref, import_needed=False, reason=reason, wait_seconds=seconds, event=again
        )
    outcome = OutcomeState(name=Outcome.IN_PROGRESS_ELSEWHERE, detail=reason)
    return IndexSeriesReply(
        series_transfer=ref, import_needed=False, reason="another execution owns it", outcome=outcome
    )


def _indexed(request: IndexSeriesRequest, claim: Claim, force: str | None) -> IndexSeriesReply:
    event, execution = request.event.detail, request.execution_arn
    ref, datastore_id = _reference(event, claim.fence), settings().datastore_id
    rows = _rows(event)

    def write(connection: Connection) -> tuple[Indexed, Need]:
        # The order of locks is everywhere: series transfer first. Who lost the claim writes nothing.
        if not claiming.lock_mine(connection, ref, execution):
            raise ClaimLostError(f"series transfer {ref.transfer_id}")
        indexed = index.index(connection, claim.pk, rows, (execution, claim.fence))
        return indexed, decisions.import_need(connection, claim, ref, execution, datastore_id, indexed, force)

    indexed, need = database().do(write)
    if need.outcome is not None:
        count(SERIES_OVER, outcome=need.outcome.name.value)
        _wake(datastore_id, event.transfer_id)
    return IndexSeriesReply(
        series_transfer=ref,
        import_needed=need.outcome is None,
        reason=need.reason,
        findings=indexed.findings,
        outcome=need.outcome,
    )


def _rows(event: SeriesComplete) -> SeriesRows:
    objects = list_objects(clients.s3(), event.bucket, event.prefix)
    return series_rows(read_manifest(clients.s3(), event), objects)


def _wake(datastore_id: str | None, transfer_id: str) -> None:
    """A later transfer of the same instances may have waited for the end of this one, or its own series."""
    if datastore_id is not None:
        granted = database().do(
            lambda connection: granting.grant(connection, datastore_id, transfer_id=transfer_id)
        )
        deliver(database(), clients.stepfunctions(), datastore_id, granted)


def _reindexed(announced: SeriesCompleteEvent) -> IndexSeriesReply:
    """Write the index again and leave everything else alone: no claim, no import."""
    event = announced.detail
    rows = _rows(event)

    def write(connection: Connection) -> Indexed:
        registering.register(connection, event, rfc3339(announced.time))
        pk = registering.find(connection, event.transfer_id, event.series_instance_uid)
        indexed = index.index(connection, pk, rows, None)
        registering.only_indexed(connection, pk)
        return indexed

    indexed = database().do(write)
    return IndexSeriesReply(
        series_transfer=_reference(event, 0),
        import_needed=False,
        reason="a reindex replay",
        findings=indexed.findings,
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
