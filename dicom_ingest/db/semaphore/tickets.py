"""The import semaphore: tickets queue for slots. Capacity is counted, order is kept, nothing leaks.

Every operation is one short transaction of its caller; whoever frees or adds something runs
:func:`grant` in it and delivers after the commit (``dicom_ingest.workflow.delivery``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dicom_ingest.contracts.outcomes import TicketState
from dicom_ingest.contracts.steps import SemaphoreSettings, SeriesTransferRef
from dicom_ingest.contracts.times import whole_second
from dicom_ingest.db.series import transfers as series_transfers
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError, DatabaseAwayError

UNKNOWN_AFTER = "1 hour"
"""A predecessor that the index has never heard of holds a ticket back for this long only."""


@dataclass(frozen=True)
class Ticket:
    """A place in the queue, or a slot."""

    pk: int
    state: TicketState
    attempt: int
    fence: int
    start_at: datetime | None
    owner_execution: str
    task_token: str | None


_COLUMNS = "pk, state, attempt, fence, start_at, owner_execution, task_token"


_CONFIGURE = """
INSERT INTO semaphore AS old (datastore_id, capacity, start_rate, start_burst, configured)
VALUES (:datastore_id, :capacity, :start_rate, :start_burst,
    jsonb_build_object('capacity', CAST(:capacity AS integer), 'start_rate', CAST(:start_rate AS float),
                       'start_burst', CAST(:start_burst AS integer)))
ON CONFLICT (datastore_id) DO UPDATE SET
    (capacity, start_rate, start_burst) = (
        SELECT kept.capacity, kept.start_rate, kept.start_burst
        FROM (VALUES (old.capacity, old.start_rate, old.start_burst, true),
                     (excluded.capacity, excluded.start_rate, excluded.start_burst, false))
            AS kept(capacity, start_rate, start_burst, standing)
        WHERE kept.standing = (old.configured = excluded.configured)),
    configured = excluded.configured, configured_at = clock_timestamp(), updated_at = clock_timestamp()
"""


def configure(connection: Connection, settings: SemaphoreSettings) -> None:
    """Set a semaphore as configured; an operator's change stands until the configuration changes."""
    connection.run(_CONFIGURE, **settings.model_dump())


_ACQUIRE = f"""
WITH mine AS (
    SELECT pk, transfer_id, series_instance_uid, priority, owner_execution, fence FROM series_transfer
    WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
      AND owner_execution = :execution AND fence = :fence
    FOR NO KEY UPDATE)
INSERT INTO ahlijob AS old (datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority,
    owner_execution, fence, task_token, token_at, token_retry, attempt)
SELECT CAST(:datastore_id AS text), pk, transfer_id, series_instance_uid, priority, owner_execution, fence,
    :task_token, CAST(:token_at AS timestamptz), CAST(:token_retry AS integer),
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
RETURNING {_COLUMNS}
"""

_CONFIGURED = "SELECT FROM semaphore WHERE datastore_id = :datastore_id"

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
    series_transfers.lock_mine(connection, ref, execution)
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


# A plain lock, waiting: with SKIP LOCKED here two grant steps can each see the other's work undone, and a
# waiter would sleep beside a free slot. NO KEY: a ticket's foreign key holds a KEY SHARE lock on this row
# since its INSERT, which a full FOR UPDATE would wait for: two acquires would deadlock.
_LOCK = """
SELECT capacity, start_rate, start_burst, next_start, paused OR gate = 'CLOSED' AS shut,
       COALESCE(CAST(:now AS timestamptz), clock_timestamp()) AS now
FROM semaphore WHERE datastore_id = :datastore_id FOR NO KEY UPDATE
"""

_HOLDERS = """
SELECT count(*) AS holders FROM ahlijob
WHERE datastore_id = :datastore_id AND holds_slot
"""

# Eligible: no import of the same series holds a slot, and every earlier transfer that holds one of
# its instances is over (or unknown for an hour).
ELIGIBLE = f"""
SELECT w.pk, w.series_instance_uid FROM ahlijob w JOIN series_transfer t ON t.pk = w.series_transfer_pk
WHERE w.datastore_id = :datastore_id AND w.state = 'WAITING'
  AND NOT EXISTS (
    SELECT FROM ahlijob h WHERE h.datastore_id = w.datastore_id
      AND h.series_instance_uid = w.series_instance_uid AND h.holds_slot)
  AND NOT EXISTS (
    SELECT FROM unnest(t.after) earlier
    LEFT JOIN series_transfer p
      ON p.transfer_id = earlier AND p.series_instance_uid = t.series_instance_uid
    WHERE CASE WHEN p.pk IS NULL THEN w.created_at > CAST(:now AS timestamptz) - interval '{UNKNOWN_AFTER}'
               ELSE p.state <> 'OVER' END)
ORDER BY w.priority, w.pk LIMIT :free
FOR UPDATE OF w SKIP LOCKED
"""

_GRANT = f"""
UPDATE ahlijob SET state = 'GRANTED', granted_at = :now, start_at = :start_at, delivered_at = NULL,
    unknown_predecessor = EXISTS (
        SELECT FROM series_transfer t CROSS JOIN unnest(t.after) earlier
        WHERE t.pk = ahlijob.series_transfer_pk AND NOT EXISTS (
            SELECT FROM series_transfer p
            WHERE p.transfer_id = earlier AND p.series_instance_uid = t.series_instance_uid))
WHERE pk = :pk RETURNING {_COLUMNS}
"""

_NEXT_START = "UPDATE semaphore SET next_start = :next_start WHERE datastore_id = :datastore_id"


def grant(connection: Connection, datastore_id: str, now: datetime | None = None) -> list[Ticket]:
    """Give free slots to the waiting, by priority and then order of arrival; at most one per series.

    `now`: the clock, for simulations; the server's otherwise. Starts are paced by GCRA (rate and burst).
    """
    semaphore = connection.one(_LOCK, datastore_id=datastore_id, now=now)
    if semaphore is None or semaphore["shut"]:
        return []
    counted = connection.one(_HOLDERS, datastore_id=datastore_id)
    free = max(0, semaphore["capacity"] - (counted["holders"] if counted else 0))
    pace = Pace(semaphore["start_rate"], semaphore["start_burst"], semaphore["next_start"])
    granted: list[Ticket] = []
    while free > len(granted):
        rows = connection.run(
            ELIGIBLE, datastore_id=datastore_id, now=semaphore["now"], free=free - len(granted)
        )
        if not rows:
            break
        # Two parts of one series may stand side by side in the queue: the first goes, the second waits.
        firsts = {row["series_instance_uid"]: row["pk"] for row in reversed(rows)}
        for pk in sorted(firsts.values(), key=[row["pk"] for row in rows].index):
            start_at = pace.next(semaphore["now"])
            granted += connection.rows(Ticket, _GRANT, pk=pk, now=semaphore["now"], start_at=start_at)
    if granted:
        connection.run(_NEXT_START, datastore_id=datastore_id, next_start=pace.theoretical_arrival)
    return granted


class Pace:
    """GCRA: at most `burst` starts at once, `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int, theoretical_arrival: datetime) -> None:
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) * self._interval
        self.theoretical_arrival = theoretical_arrival

    def next(self, now: datetime) -> datetime:
        """When the next import may start, in whole seconds."""
        start_at = max(now, self.theoretical_arrival - timedelta(seconds=self._tolerance))
        self.theoretical_arrival = max(self.theoretical_arrival, start_at) + timedelta(seconds=self._interval)
        return whole_second(start_at)


_RELEASE = f"""
UPDATE ahlijob SET
    state = CASE
        WHEN state = 'WAITING' THEN 'CANCELLED'
        WHEN state = 'GRANTED' AND outcome IS NULL THEN 'CANCELLED'
        WHEN state = 'GRANTED' OR import_over_at IS NOT NULL THEN 'DONE'
        ELSE state END,
    orphaned_at = CASE WHEN state IN ('STARTING', 'RUNNING') AND import_over_at IS NULL
                       THEN clock_timestamp() END,
    over_at = CASE WHEN state IN ('WAITING', 'GRANTED') OR import_over_at IS NOT NULL
                   THEN clock_timestamp() END,
    task_token = NULL
WHERE transfer_id = :transfer_id AND series_instance_uid = :series_instance_uid
  AND owner_execution = :execution AND fence = :fence
  AND live
RETURNING {_COLUMNS}, datastore_id, orphaned_at
"""


@dataclass(frozen=True)
class Released:
    """What became of the ticket: ended, only marked, or not found."""

    released: bool
    orphaned: bool


def release(connection: Connection, ref: SeriesTransferRef, execution: str) -> Released:
    """End the execution's tickets; one whose import may still run is only marked ORPHANED. Idempotent."""
    mine = series_transfers.lock_mine(connection, ref, execution)
    rows = connection.run(_RELEASE, execution=execution, **_ref(ref)) if mine else []
    for row in rows:
        if row["state"] == TicketState.CANCELLED.value:
            give_start_back(connection, row["pk"])
    orphaned = any(row["orphaned_at"] is not None for row in rows)
    return Released(released=bool(rows) and not orphaned, orphaned=orphaned)


def mark_delivered(connection: Connection, ticket: Ticket) -> None:
    """The execution has its answer."""
    connection.run(
        "UPDATE ahlijob SET delivered_at = clock_timestamp() WHERE pk = :pk AND task_token = :token",
        pk=ticket.pk,
        token=ticket.task_token,
    )


def cancel_refused(connection: Connection, ticket: Ticket) -> bool:
    """Cancel a granted ticket whose execution is over, unless a new token has come meanwhile."""
    row = connection.one(
        "UPDATE ahlijob "
        "SET state = 'CANCELLED', over_at = clock_timestamp(), message = 'its execution is over', "
        "task_token = NULL "
        "WHERE pk = :pk AND task_token = :token AND state IN ('WAITING', 'GRANTED') RETURNING pk",
        pk=ticket.pk,
        token=ticket.task_token,
    )
    if row is not None:
        give_start_back(connection, ticket.pk)
    return row is not None


# Starts that others have been promised stay theirs: the next one comes after the last of them.
_GIVE_START_BACK = """
UPDATE semaphore s SET next_start = LEAST(s.next_start, COALESCE(
    (SELECT max(p.start_at) FROM ahlijob p WHERE p.datastore_id = s.datastore_id
        AND p.state IN ('GRANTED', 'STARTING') AND p.start_at > clock_timestamp()),
    clock_timestamp()) + make_interval(secs => s.start_burst / s.start_rate))
FROM ahlijob j WHERE j.pk = :pk AND s.datastore_id = j.datastore_id AND j.start_at > clock_timestamp()
"""


def give_start_back(connection: Connection, ticket_id: int) -> None:
    """Starts that will not be used are free again: a thousand dead waiters must not delay the living."""
    connection.run(_GIVE_START_BACK, pk=ticket_id)


def _ref(ref: SeriesTransferRef) -> dict[str, Any]:
    return {
        "transfer_id": ref.transfer_id,
        "series_instance_uid": ref.series_instance_uid,
        "fence": ref.fence,
    }
