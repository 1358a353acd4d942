"""Series transfers: registered, claimed by one execution at a time, and their outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.events import SeriesComplete
from dicom_ingest.contracts.outcomes import Outcome
from dicom_ingest.contracts.steps import OutcomeState, SeriesTransferRef
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError

PRIORITIES = {"live": 0, "bulk": 1}
ASK_AFTER_SECONDS = 60
"""A claim touched more recently than this is believed without asking Step Functions."""

_REGISTER = """
INSERT INTO series_transfer AS old (
    transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge, sequence, modality, priority,
    bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes, calling_ae, called_ae,
    aborted, seal_reason, first_received_at, last_received_at, sealed_at, announced_at, transfer_series)
VALUES (
    :transfer_id, :series_instance_uid, :study_instance_uid, :correlation_id, :edge, :sequence, :modality,
    :priority, :bucket, :prefix, :manifest_key, :manifest_sha256, :instance_count, :total_bytes, :calling_ae,
    :called_ae, :aborted, :seal_reason, :first_received_at, :last_received_at, :sealed_at, :announced_at,
    :transfer_series)
ON CONFLICT (transfer_id, series_instance_uid) DO UPDATE SET
    (study_instance_uid, correlation_id, edge, sequence, modality, priority, bucket, prefix, manifest_key,
     manifest_sha256, instance_count, total_bytes, calling_ae, called_ae, aborted, seal_reason,
     first_received_at, last_received_at, sealed_at, announced_at, transfer_series) =
    (excluded.study_instance_uid, excluded.correlation_id, excluded.edge, excluded.sequence,
     excluded.modality, excluded.priority, excluded.bucket, excluded.prefix, excluded.manifest_key,
     excluded.manifest_sha256,
     excluded.instance_count, excluded.total_bytes, excluded.calling_ae, excluded.called_ae, excluded.aborted,
     excluded.seal_reason, excluded.first_received_at, excluded.last_received_at, excluded.sealed_at,
     excluded.announced_at, excluded.transfer_series)
WHERE old.manifest_sha256 = ''
"""

# Of an event that could not be read: what there is of it, until an event comes that can be.
_REGISTER_UNREADABLE = """
INSERT INTO series_transfer (
    transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge, sequence, bucket, prefix,
    manifest_key, manifest_sha256, instance_count, total_bytes, calling_ae, called_ae, aborted, seal_reason,
    first_received_at, last_received_at, sealed_at, announced_at, state, outcome, outcome_detail, over_at)
SELECT CAST(:transfer_id AS uuid), :series_instance_uid, :study_instance_uid, :correlation_id, :edge,
    0, '', '', :manifest_key, '', 0, 0, '', '', false, '', n, n, n, n, 'OVER', 'FAILED', :words, n
FROM (SELECT clock_timestamp() AS n) now
ON CONFLICT (transfer_id, series_instance_uid) DO NOTHING
"""

_LOOK = """
SELECT pk, owner_execution, fence, state, outcome, datastore_id, manifest_sha256, study_instance_uid,
       claimed_at > clock_timestamp() - make_interval(secs => :ask_after) AS touched_lately,
       CAST(COALESCE(EXTRACT(epoch FROM clock_timestamp() - claimed_at), 0) AS integer) AS age_seconds
FROM series_transfer
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
FOR NO KEY UPDATE
"""

_CLAIM = """
UPDATE series_transfer
SET owner_execution = :execution,
    fence = CASE WHEN owner_execution = :execution THEN fence ELSE fence + 1 END,
    claimed_at = clock_timestamp(), told_execution = COALESCE(told_execution, :execution),
    begun_at = COALESCE(begun_at, clock_timestamp()),
    state = CASE WHEN state = 'OVER' THEN 'CLAIMED' ELSE state END
WHERE pk = :pk
RETURNING fence
"""

# It was over before, so what this execution does is listed beside its history.
_LATER = """
INSERT INTO later_execution (series_transfer_pk, execution, replay_name)
VALUES (:pk, :execution, :replay_name)
ON CONFLICT (series_transfer_pk, execution) DO NOTHING
"""

_LATER_OVER = """
UPDATE later_execution l SET over_at = clock_timestamp(), outcome = COALESCE(:outcome, t.outcome),
    outcome_detail = COALESCE(:detail, t.outcome_detail)
FROM series_transfer t WHERE t.pk = :pk AND l.series_transfer_pk = t.pk AND l.execution = :execution
"""

_INHERIT = """
UPDATE ahlijob SET owner_execution = :execution, fence = :fence, orphaned_at = NULL
WHERE series_transfer_pk = :pk AND live
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

# The order of locks is everywhere: series transfer, ticket, semaphore. Two of them never wait for each other.
_LOCK_MINE = """
SELECT pk FROM series_transfer
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
FOR NO KEY UPDATE
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


@dataclass(frozen=True)
class Claim:
    """Who owns a series transfer. `fence` counts its owners."""

    pk: int
    owner: str
    fence: int
    touched_lately: bool
    outcome: Outcome | None
    age_seconds: int = 0
    gone: str | None = None
    """The owner that it was taken over from, in the middle of its work."""


def register(connection: Connection, event: SeriesComplete, announced_at: str) -> None:
    """Note a series transfer at its first event; later events of it change nothing."""
    values = event.model_dump(mode="json", exclude={"schema_version"})
    values["priority"] = PRIORITIES[event.priority]
    connection.run(_REGISTER, **values, announced_at=announced_at)


def register_unreadable(connection: Connection, detail: Mapping[str, Any], words: str) -> None:
    """Leave a FAILED row of an event that could not be read; one that can be read later fills it in."""
    names = (
        "transfer_id",
        "series_instance_uid",
        "study_instance_uid",
        "correlation_id",
        "edge",
        "manifest_key",
    )
    connection.run(_REGISTER_UNREADABLE, **{name: str(detail.get(name, "")) for name in names}, words=words)


def claim(
    connection: Connection,
    event: SeriesComplete,
    execution: str,
    *,
    owner_gone: str | None = None,
    replay_name: str | None = None,
) -> Claim:
    """Claim a registered series transfer, unless another execution owns it.

    It is free when nobody owns it, when it is over, or when its owner is `owner_gone`: the one
    of which Step Functions said that it does not run any more. The new owner inherits the ticket.
    """
    row = connection.one(
        _LOOK,
        transfer_id=event.transfer_id,
        series_instance_uid=event.series_instance_uid,
        ask_after=ASK_AFTER_SECONDS,
    )
    if row is None:
        raise AssertionError("claimed before it was registered")
    owner = row["owner_execution"]
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    if owner not in (None, execution, owner_gone) and row["state"] != "OVER":
        lately = bool(row["touched_lately"])
        return Claim(row["pk"], owner, row["fence"], lately, outcome, row["age_seconds"])
    claimed = connection.one(_CLAIM, pk=row["pk"], execution=execution)
    fence = claimed["fence"] if claimed else 0
    connection.run(_INHERIT, pk=row["pk"], execution=execution, fence=fence)
    if row["state"] == "OVER":
        connection.run(_LATER, pk=row["pk"], execution=execution, replay_name=replay_name)
    gone = owner if owner != execution and row["state"] != "OVER" else None
    return Claim(row["pk"], execution, fence, touched_lately=True, outcome=outcome, gone=gone)


def lock_mine(connection: Connection, ref: SeriesTransferRef, execution: str) -> bool:
    """Lock the claim until the transaction ends; False where another execution owns it by now."""
    return connection.one(_LOCK_MINE, **_mine(ref, execution)) is not None


def under_way(connection: Connection, ref: SeriesTransferRef, execution: str) -> None:
    """Forget the outcome of an earlier try: this one will write its own."""
    connection.run(_UNDER_WAY, **_mine(ref, execution))


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
        **_mine(ref, execution),
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
        **_mine(ref, execution),
        outcome=outcome.name.value,
        detail=outcome.detail,
        datastore_id=datastore_id,
    )


_CLAIMED_BY = """
SELECT correlation_id, fence FROM series_transfer
WHERE transfer_id = :transfer_id AND series_instance_uid = :series AND owner_execution = :execution
"""


def claimed_by(
    connection: Connection, transfer_id: str, series_instance_uid: str, execution: str
) -> SeriesTransferRef | None:
    """The claim of an execution that failed before it could say so; None where it never got one."""
    row = connection.one(
        _CLAIMED_BY, transfer_id=transfer_id, series=series_instance_uid, execution=execution
    )
    if row is None:
        return None
    return SeriesTransferRef(transfer_id=transfer_id, series_instance_uid=series_instance_uid, **row)


def over(
    connection: Connection, ref: SeriesTransferRef, execution: str, said: OutcomeState | None = None
) -> bool:
    """The work on it has ended, so its claim is free; False where another execution owns it.

    `said`: what this execution found, where that is not the outcome of the series transfer.
    """
    row = connection.one(_OVER, **_mine(ref, execution))
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
    return connection.one(_UNSAID, **_mine(ref, execution), words=words) is not None


_AS_ITS_TICKET_SAYS = """
UPDATE series_transfer t SET outcome = j.outcome, outcome_detail = j.message FROM ahlijob j
WHERE j.pk = :ticket AND t.pk = j.series_transfer_pk AND t.outcome IS NULL
"""


def as_its_ticket_says(connection: Connection, ticket_id: int) -> None:
    """The outcome that was written on the ticket, where the series transfer's own was taken back."""
    connection.run(_AS_ITS_TICKET_SAYS, ticket=ticket_id)


_ONLY_INDEXED = """
UPDATE series_transfer SET state = 'OVER', outcome = 'INDEXED', over_at = clock_timestamp()
WHERE pk = :pk AND owner_execution IS NULL
"""


def only_indexed(connection: Connection, pk: int) -> None:
    """No execution owns it, so no import was ever asked for: INDEXED, and over."""
    connection.run(_ONLY_INDEXED, pk=pk)


_FIND = """
SELECT pk FROM series_transfer WHERE transfer_id = :transfer_id AND series_instance_uid = :series
FOR NO KEY UPDATE
"""


def find(connection: Connection, transfer_id: str, series_instance_uid: str) -> int:
    """The pk of a registered series transfer, which is locked before anything of it is written."""
    row = connection.one(_FIND, transfer_id=transfer_id, series=series_instance_uid)
    if row is None:
        raise AssertionError("looked for before it was registered")
    return int(row["pk"])


_HAS_LIVE_TICKET = """
SELECT EXISTS (
    SELECT FROM ahlijob
    WHERE series_transfer_pk = :pk AND live) AS live
"""


def has_live_ticket(connection: Connection, pk: int) -> bool:
    """Whether a ticket of it waits or holds a slot, of whatever data store."""
    row = connection.one(_HAS_LIVE_TICKET, pk=pk)
    return bool(row and row["live"])


# What an execution that is gone was told to force, the one that took over from it forces.
_FORCE = """
INSERT INTO forced_import AS old (series_transfer_pk, replay_name, execution)
VALUES (:pk, :replay_name, :execution)
ON CONFLICT (series_transfer_pk, replay_name) DO UPDATE SET
    execution = CASE WHEN old.execution = :gone THEN excluded.execution ELSE old.execution END
RETURNING execution
"""


def force(connection: Connection, claim: Claim, replay_name: str, execution: str) -> bool:
    """Note a forced import; False where this replay forced it before (it is delivered at least once)."""
    row = connection.one(_FORCE, pk=claim.pk, replay_name=replay_name, execution=execution, gone=claim.gone)
    return bool(row and row["execution"] == execution)


_TO_QUEUE_AGAIN = """
SELECT transfer_id::text AS transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge,
    sequence, modality, priority, bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes,
    calling_ae, called_ae, aborted, seal_reason, first_received_at, last_received_at, sealed_at,
    transfer_series
FROM series_transfer WHERE queue_again AND state = 'OVER' ORDER BY pk LIMIT 50
"""


def to_queue_again(connection: Connection) -> list[SeriesComplete]:
    """The events of series transfers of which an older version was imported over a newer one."""
    names = {number: name for name, number in PRIORITIES.items()}
    return [
        SeriesComplete(**row | {"priority": names.get(row["priority"], "live")})
        for row in connection.run(_TO_QUEUE_AGAIN)
    ]


def queued_again(connection: Connection, event: SeriesComplete) -> None:
    """An execution was started for it."""
    connection.run(
        "UPDATE series_transfer SET queue_again = false "
        "WHERE transfer_id = :transfer_id AND series_instance_uid = :series",
        transfer_id=event.transfer_id,
        series=event.series_instance_uid,
    )


def _mine(ref: SeriesTransferRef, execution: str) -> dict[str, Any]:
    return {
        "transfer_id": ref.transfer_id,
        "series_instance_uid": ref.series_instance_uid,
        "execution": execution,
        "fence": ref.fence,
    }
