"""Series transfers: registered, claimed by one execution at a time, and their outcome."""

from __future__ import annotations

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
INSERT INTO series_transfer (
    transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge, sequence, modality, priority,
    bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes, calling_ae, called_ae,
    aborted, seal_reason, first_received_at, last_received_at, sealed_at, announced_at)
VALUES (
    :transfer_id, :series_instance_uid, :study_instance_uid, :correlation_id, :edge, :sequence, :modality,
    :priority, :bucket, :prefix, :manifest_key, :manifest_sha256, :instance_count, :total_bytes, :calling_ae,
    :called_ae, :aborted, :seal_reason, :first_received_at, :last_received_at, :sealed_at, :announced_at)
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
    claimed_at = clock_timestamp(),
    state = CASE WHEN state = 'OVER' THEN 'CLAIMED' ELSE state END
WHERE pk = :pk
RETURNING fence
"""

_INHERIT = """
UPDATE ahlijob SET owner_execution = :execution, fence = :fence, orphaned_at = NULL
WHERE series_transfer_pk = :pk AND state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING')
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

# What an earlier try left is no longer true once another one is under way.
_UNDER_WAY = """
UPDATE series_transfer
SET outcome = NULL, outcome_detail = NULL, scanned = 0, imported = 0, failed = 0, warned = 0, over_at = NULL
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
"""

_OVER = """
UPDATE series_transfer SET state = 'OVER', over_at = clock_timestamp()
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


def register(connection: Connection, event: SeriesComplete, announced_at: str) -> None:
    """Note a series transfer at its first event; later events of it change nothing."""
    values = event.model_dump(mode="json", exclude={"schema_version"})
    values["priority"] = PRIORITIES[event.priority]
    connection.run(_REGISTER, **values, announced_at=announced_at)


def claim(
    connection: Connection, event: SeriesComplete, execution: str, *, owner_gone: str | None = None
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
    return Claim(row["pk"], execution, fence, touched_lately=True, outcome=outcome)


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


def claimed_by(connection: Connection, event: SeriesComplete, execution: str) -> SeriesTransferRef | None:
    """The claim of an execution that failed before it could say so; None where it never got one."""
    row = connection.one(
        "SELECT fence FROM series_transfer WHERE transfer_id = :transfer_id "
        "AND series_instance_uid = :series AND owner_execution = :execution",
        transfer_id=event.transfer_id,
        series=event.series_instance_uid,
        execution=execution,
    )
    if row is None:
        return None
    return SeriesTransferRef(
        transfer_id=event.transfer_id,
        series_instance_uid=event.series_instance_uid,
        correlation_id=event.correlation_id,
        fence=row["fence"],
    )


def over(connection: Connection, ref: SeriesTransferRef, execution: str) -> bool:
    """The work on it has ended, so its claim is free; False where another execution owns it."""
    return connection.one(_OVER, **_mine(ref, execution)) is not None


def only_indexed(connection: Connection, pk: int) -> None:
    """Nobody owns it, so no import was ever asked for: INDEXED, and over."""
    connection.run(
        "UPDATE series_transfer SET state = 'OVER', outcome = 'INDEXED', over_at = clock_timestamp() "
        "WHERE pk = :pk AND owner_execution IS NULL",
        pk=pk,
    )


def find(connection: Connection, transfer_id: str, series_instance_uid: str) -> int:
    """The pk of a registered series transfer."""
    row = connection.one(
        "SELECT pk FROM series_transfer WHERE transfer_id = :transfer_id AND series_instance_uid = :series",
        transfer_id=transfer_id,
        series=series_instance_uid,
    )
    if row is None:
        raise AssertionError("looked for before it was registered")
    return int(row["pk"])


def has_live_ticket(connection: Connection, pk: int, datastore_id: str) -> bool:
    """Whether a ticket of it waits or holds a slot."""
    row = connection.one(
        "SELECT EXISTS (SELECT FROM ahlijob WHERE series_transfer_pk = :pk AND datastore_id = :datastore_id "
        "AND state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING')) AS live",
        pk=pk,
        datastore_id=datastore_id,
    )
    return bool(row and row["live"])


def force(connection: Connection, pk: int, replay_name: str, execution: str) -> bool:
    """Note a forced import; False where this replay forced it before (it is delivered at least once)."""
    row = connection.one(
        "INSERT INTO forced_import AS old (series_transfer_pk, replay_name, execution) "
        "VALUES (:pk, :replay_name, :execution) "
        "ON CONFLICT (series_transfer_pk, replay_name) DO UPDATE SET execution = old.execution "
        "RETURNING execution",
        pk=pk,
        replay_name=replay_name,
        execution=execution,
    )
    return bool(row and row["execution"] == execution)


def _mine(ref: SeriesTransferRef, execution: str) -> dict[str, Any]:
    return {
        "transfer_id": ref.transfer_id,
        "series_instance_uid": ref.series_instance_uid,
        "execution": execution,
        "fence": ref.fence,
    }
