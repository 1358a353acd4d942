"""The import semaphore: how it is configured, and how a series gets its place in the queue.

Every operation is one short transaction of its caller. Every transaction that frees or adds something runs
``granting.grant`` in it, and delivers after the commit (``dicom_ingest.workflow.delivery``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dicom_ingest.contracts.messages.steps import SemaphoreSettings, SeriesTransferRef
from dicom_ingest.db.semaphore import bundles
from dicom_ingest.db.semaphore.bundles import COLUMNS, Ticket
from dicom_ingest.db.series import claiming
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError, DatabaseAwayError

_CONFIGURE = """
INSERT INTO semaphore AS old (
    datastore_id, capacity, start_rate, start_burst, bundles, bundle_patience, configured)
VALUES (:datastore_id, :capacity, :start_rate, :start_burst, :bundles, :bundle_patience,
    jsonb_build_object('capacity', CAST(:capacity AS integer), 'start_rate', CAST(:start_rate AS float),
                       'start_burst', CAST(:start_burst AS integer)))
ON CONFLICT (datastore_id) DO UPDATE SET
    (capacity, start_rate, start_burst) = (
        SELECT kept.capacity, kept.start_rate, kept.start_burst
        FROM (VALUES (old.capacity, old.start_rate, old.start_burst, true),
                     (excluded.capacity, excluded.start_rate, excluded.start_burst, false))
            AS kept(capacity, start_rate, start_burst, standing)
        WHERE kept.standing = (old.configured = excluded.configured)),
    bundles = excluded.bundles, bundle_patience = excluded.bundle_patience,
    configured = excluded.configured, configured_at = clock_timestamp(), updated_at = clock_timestamp()
"""


def configure(connection: Connection, settings: SemaphoreSettings) -> None:
    """Set a semaphore as configured; an operator's change holds until the configuration changes."""
    connection.run(_CONFIGURE, **settings.model_dump())


_ACQUIRE = f"""
WITH mine AS (
    SELECT pk, transfer_id, series_instance_uid, priority, owner_execution, fence FROM series_transfer
    WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
      AND owner_execution = :execution AND fence = :fence
    FOR NO KEY UPDATE)
INSERT INTO ahlijob AS old (datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority,
    owner_execution, fence, task_token, token_at, token_retry, expects_bundle, attempt)
SELECT CAST(:datastore_id AS text), pk, transfer_id, series_instance_uid, priority, owner_execution, fence,
    :task_token, CAST(:token_at AS timestamptz), CAST(:token_retry AS integer),
    priority > 0 AND (SELECT bundles FROM semaphore s WHERE s.datastore_id = :datastore_id),
    (SELECT 1 + COALESCE(max(attempt), 0) FROM ahlijob a WHERE a.series_transfer_pk = mine.pk)
FROM mine
ON CONFLICT (datastore_id, transfer_id, series_instance_uid)
    WHERE live
DO UPDATE SET (task_token, token_at, token_retry, delivered_at) = (
        SELECT kept.token, kept.at, kept.retry, kept.delivered
        FROM (VALUES (true, old.task_token, old.token_at, old.token_retry, old.delivered_at),
                     (false, excluded.task_token, excluded.token_at, excluded.token_retry, NULL))
            AS kept(newer, token, at, retry, delivered)
        WHERE kept.newer = COALESCE(
            (old.token_at, old.token_retry) > (excluded.token_at, excluded.token_retry), false)),
    owner_execution = excluded.owner_execution, fence = excluded.fence, orphaned_at = NULL
RETURNING {COLUMNS}
"""

_CONFIGURED = "SELECT FROM semaphore WHERE datastore_id = :datastore_id"

_BUNDLE_ELSEWHERE = """
SELECT bundle FROM ahlijob
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
  AND datastore_id <> :datastore_id AND state = 'GRANTED' AND bundle IS NOT NULL
"""

# Its data store was replaced. One that imports goes on where it is; any other waits for the new one's slots.
_BRING_ALONG = """
UPDATE ahlijob SET state = 'WAITING', datastore_id = :datastore_id, granted_at = NULL, start_at = NULL,
    delivered_at = NULL
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
  AND datastore_id <> :datastore_id AND live AND state IN ('WAITING', 'GRANTED')
  AND NOT EXISTS (
    SELECT FROM ahlijob n WHERE n.series_transfer_pk = ahlijob.series_transfer_pk
      AND n.datastore_id = :datastore_id AND n.live)
"""

_IMPORTS_ELSEWHERE = """
SELECT datastore_id FROM ahlijob
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
  AND datastore_id <> :datastore_id AND live AND state IN ('STARTING', 'RUNNING')
"""


@dataclass(frozen=True)
class Token:
    """A task token, and which entry and retry of the state sent it: an older never replaces a newer."""

    token: str
    entered_at: datetime | None = None
    retry: int = 0


def acquire(
    connection: Connection, ref: SeriesTransferRef, execution: str, datastore_id: str, token: Token
) -> Ticket:
    """Take a place in the queue, or keep the one there is with a new token (retry, redrive, take-over).

    Raises:
        ClaimLostError: another execution owns the series transfer.
        DatabaseAwayError: the data store is not configured in the index.
    """
    if connection.one(_CONFIGURED, datastore_id=datastore_id) is None:
        # A deploy that has not configured it yet: no series is to blame.
        raise DatabaseAwayError(f"data store {datastore_id} has no semaphore: run migrate_database")
    mine = {"execution": execution, **_ref(ref)}
    claiming.lock_mine(connection, ref, execution)
    for row in connection.run(_BUNDLE_ELSEWHERE, datastore_id=datastore_id, **mine):
        bundles.dissolve(connection, row["bundle"], states=bundles.NOT_INTENDED)
    connection.run(_BRING_ALONG, datastore_id=datastore_id, **mine)
    elsewhere = connection.run(_IMPORTS_ELSEWHERE, datastore_id=datastore_id, **mine)
    ticket = connection.row(
        Ticket,
        _ACQUIRE,
        datastore_id=elsewhere[0]["datastore_id"] if elsewhere else datastore_id,
        task_token=token.token,
        token_at=token.entered_at,
        token_retry=token.retry,
        **mine,
    )
    if ticket is None:
        raise ClaimLostError(f"series transfer {ref.transfer_id} of {ref.series_instance_uid}")
    return ticket


def _ref(ref: SeriesTransferRef) -> dict[str, Any]:
    return {
        "transfer_id": ref.transfer_id,
        "series_instance_uid": ref.series_instance_uid,
        "fence": ref.fence,
    }
