"""Claims: one execution at a time owns a series transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import SeriesTransferRef
from dicom_ingest.db.server.connection import Connection

ASK_AFTER_SECONDS = 60
"""A claim touched more recently than this is believed without asking Step Functions."""

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

_INHERIT = """
UPDATE ahlijob SET owner_execution = :execution, fence = :fence, orphaned_at = NULL
WHERE series_transfer_pk = :pk AND live
"""

# The order of locks is everywhere: series transfer, ticket, semaphore. Two of them never wait for each other.
_LOCK_MINE = """
SELECT pk FROM series_transfer
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
FOR NO KEY UPDATE
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


def claim(
    connection: Connection,
    event: SeriesComplete,
    execution: str,
    *,
    owner_gone: str | None = None,
    replay_name: str | None = None,
) -> Claim:
    """Claim a registered series transfer, unless another execution owns it.

    It is free when it has no owner, when it is over, or when its owner is `owner_gone`: the one
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
    return connection.one(_LOCK_MINE, **mine(ref, execution)) is not None


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


def mine(ref: SeriesTransferRef, execution: str) -> dict[str, Any]:
    return {
        "transfer_id": ref.transfer_id,
        "series_instance_uid": ref.series_instance_uid,
        "execution": execution,
        "fence": ref.fence,
    }
