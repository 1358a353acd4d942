"""How series transfers end: their outcome, and the end of the claim."""

from __future__ import annotations

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import OutcomeState, SeriesTransferRef
from dicom_ingest.db.series.claiming import mine
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError

_LATER_OVER = """
UPDATE later_execution l SET over_at = clock_timestamp(), outcome = COALESCE(:outcome, t.outcome),
    outcome_detail = COALESCE(:detail, t.outcome_detail)
FROM series_transfer t WHERE t.pk = :pk AND l.series_transfer_pk = t.pk AND l.execution = :execution
"""

_FINISH = """
UPDATE series_transfer
SET outcome = :outcome, outcome_detail = :detail, datastore_id = :datastore_id, scanned = :scanned,
    imported = :imported, failed = :failed, warned = :warned
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
RETURNING pk
"""

_FAIL = """
UPDATE series_transfer SET outcome = :outcome, outcome_detail = :detail, datastore_id = :datastore_id
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
"""

# What an earlier try left is no longer true once another one is under way. When it was ingested stays true.
_UNDER_WAY = """
UPDATE series_transfer
SET outcome = NULL, outcome_detail = NULL, scanned = 0, imported = 0, failed = 0, warned = 0,
    queue_again = false,
    (over_at, begun_at, indexed_at, told_execution) = (
        SELECT kept.over_at, kept.begun_at, kept.indexed_at, kept.told_execution
        FROM (VALUES (true, over_at, begun_at, indexed_at, told_execution),
                     (false, NULL, claimed_at, clock_timestamp(), owner_execution))
            AS kept(ingested, over_at, begun_at, indexed_at, told_execution)
        WHERE kept.ingested = (series_transfer.over_at IS NOT NULL
            AND series_transfer.outcome IS NOT NULL
            AND series_transfer.outcome NOT IN ('FAILED', 'UNKNOWN', 'INDEXED')))
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
"""

_OVER = """
UPDATE series_transfer SET state = 'OVER', over_at = COALESCE(over_at, clock_timestamp())
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
RETURNING pk
"""


def under_way(connection: Connection, ref: SeriesTransferRef, execution: str) -> None:
    """Forget the outcome of an earlier try: this one will write its own."""
    connection.run(_UNDER_WAY, **mine(ref, execution))


def finish(
    connection: Connection,
    ref: SeriesTransferRef,
    execution: str,
    outcome: Outcome,
    *,
    detail: str | None = None,
    datastore_id: str | None = None,
    counts: dict[str, int] | None = None,
) -> None:
    """Write how it ended.

    Raises:
        ClaimLostError: another execution owns it by now.
    """
    numbers = {"scanned": 0, "imported": 0, "failed": 0, "warned": 0} | (counts or {})
    row = connection.one(
        _FINISH,
        **mine(ref, execution),
        outcome=outcome.value,
        detail=detail,
        datastore_id=datastore_id,
        **numbers,
    )
    if row is None:
        raise ClaimLostError(f"series transfer {ref.transfer_id} of {ref.series_instance_uid}")


def finish_unless_lost(
    connection: Connection,
    ref: SeriesTransferRef,
    execution: str,
    outcome: OutcomeState,
    datastore_id: str | None,
) -> None:
    """Write a failure, unless another execution owns it by now: that one will say how it ends."""
    connection.run(
        _FAIL,
        **mine(ref, execution),
        outcome=outcome.name.value,
        detail=outcome.detail,
        datastore_id=datastore_id,
    )


def over(
    connection: Connection, ref: SeriesTransferRef, execution: str, said: OutcomeState | None = None
) -> bool:
    """The work on it has ended, so its claim is free; False where another execution owns it.

    `said`: what this execution found, where that is not the outcome of the series transfer.
    """
    row = connection.one(_OVER, **mine(ref, execution))
    if row is None:
        return False
    words = {"outcome": said and said.name.value, "detail": said and said.detail}
    connection.run(_LATER_OVER, pk=row["pk"], execution=execution, **words)
    return True


_UNSAID = """
UPDATE series_transfer SET outcome = 'FAILED', outcome_detail = :words
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence AND outcome IS NULL
RETURNING pk
"""


def fail_where_unsaid(connection: Connection, ref: SeriesTransferRef, execution: str, words: str) -> bool:
    """FAILED where no outcome was written: no series transfer is over without one."""
    return connection.one(_UNSAID, **mine(ref, execution), words=words) is not None


_AS_ITS_TICKET_SAYS = """
UPDATE series_transfer t SET outcome = j.outcome, outcome_detail = j.message FROM ahlijob j
WHERE j.pk = :ticket AND t.pk = j.series_transfer_pk AND t.outcome IS NULL
"""


def as_its_ticket_says(connection: Connection, ticket_id: int) -> None:
    """The outcome that was written on the ticket, where the series transfer's own was taken back."""
    connection.run(_AS_ITS_TICKET_SAYS, ticket=ticket_id)
