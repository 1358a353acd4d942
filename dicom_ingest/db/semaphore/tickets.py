"""The import semaphore: tickets queue for slots. Capacity is counted, order is kept, nothing leaks.

Every operation is one short transaction of its caller; every transaction that frees or adds something runs
:func:`grant` in it and delivers after the commit (``dicom_ingest.workflow.delivery``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dicom_ingest.contracts.outcomes import TicketState
from dicom_ingest.contracts.steps import SemaphoreSettings, SeriesTransferRef
from dicom_ingest.db.semaphore import bundles
from dicom_ingest.db.semaphore.bundles import COLUMNS, MAY_IMPORT, Standing, Ticket
from dicom_ingest.db.semaphore.starts import Pace, give_start_back
from dicom_ingest.db.series import transfers as series_transfers
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
    """Set a semaphore as configured; an operator's change stands until the configuration changes."""
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
    series_transfers.lock_mine(connection, ref, execution)
    for row in connection.run(_BUNDLE_ELSEWHERE, datastore_id=datastore_id, **mine):
        bundles.dissolve(connection, row["bundle"])
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
SELECT capacity, start_rate, start_burst, next_start, bundles, bundle_patience,
       paused OR gate = 'CLOSED' AS shut,
       COALESCE(CAST(:now AS timestamptz), clock_timestamp()) AS now
FROM semaphore WHERE datastore_id = :datastore_id FOR NO KEY UPDATE
"""

_HOLDERS = """
SELECT count(*) AS holders FROM ahlijob
WHERE datastore_id = :datastore_id AND own_slot
"""

# `closed`: its transfer may be a bundle. A bulk ticket that expects to be of one has patience.
ELIGIBLE = f"""
SELECT w.pk, w.series_instance_uid, w.transfer_id::text AS transfer_id, w.priority > 0 AS bulk,
    w.created_at > CAST(:now AS timestamptz) - make_interval(secs => :patience) AS young,
    EXISTS (SELECT FROM series_transfer c
            WHERE c.transfer_id = w.transfer_id AND c.transfer_series > 1) AS closed
FROM ahlijob w JOIN series_transfer t ON t.pk = w.series_transfer_pk
WHERE w.datastore_id = :datastore_id AND w.state = 'WAITING'
  AND NOT (w.expects_bundle AND w.created_at > CAST(:now AS timestamptz) - make_interval(secs => :patience))
  AND w.transfer_id <> ALL (CAST(:left AS uuid[]))
  AND {MAY_IMPORT}
ORDER BY w.priority, w.pk LIMIT :free
FOR UPDATE OF w SKIP LOCKED
"""

_GRANT = f"""
UPDATE ahlijob SET state = 'GRANTED', granted_at = :now, start_at = :start_at, delivered_at = NULL,
    expects_bundle = false, bundle = CAST(:bundle AS bigint), leads = (pk = CAST(:bundle AS bigint)) IS TRUE,
    unknown_predecessor = EXISTS (
        SELECT FROM series_transfer t CROSS JOIN unnest(t.after) earlier
        WHERE t.pk = ahlijob.series_transfer_pk AND NOT EXISTS (
            SELECT FROM series_transfer p
            WHERE p.transfer_id = earlier AND p.series_instance_uid = t.series_instance_uid))
WHERE pk = ANY (CAST(:pks AS bigint[])) RETURNING {COLUMNS}
"""

_NEXT_START = "UPDATE semaphore SET next_start = :next_start WHERE datastore_id = :datastore_id"


def grant(
    connection: Connection, datastore_id: str, now: datetime | None = None, transfer_id: str | None = None
) -> list[Ticket]:
    """Give free slots to the waiting, by priority and then order of arrival; at most one per series.

    A transfer that is closed and waits as a whole is granted as a bundle: one slot, one start. Returned are
    the tickets to be delivered; members of a bundle sleep on.

    `now`: the clock, for simulations; the server's otherwise. Starts are paced by GCRA (rate and burst).
    `transfer_id`: of which a series has come or gone, so that it may have become a bundle, or never will.
    """
    semaphore = connection.one(_LOCK, datastore_id=datastore_id, now=now)
    if semaphore is None or semaphore["shut"]:
        return []
    step = _GrantStep(connection, datastore_id, semaphore)
    if transfer_id is not None:
        step.look_at(transfer_id)
    counted = connection.one(_HOLDERS, datastore_id=datastore_id)
    free = max(0, semaphore["capacity"] - (counted["holders"] if counted else 0))
    while free > len(step.granted) and step.grant_some(free - len(step.granted)):
        pass
    if step.granted:
        connection.run(_NEXT_START, datastore_id=datastore_id, next_start=step.pace.theoretical_arrival)
    return step.granted


class _GrantStep:
    """What one grant step knows, the semaphore being locked."""

    def __init__(self, connection: Connection, datastore_id: str, semaphore: dict[str, Any]) -> None:
        self._connection = connection
        self._datastore_id = datastore_id
        self._bundles: bool = semaphore["bundles"]
        self._patience: float = semaphore["bundle_patience"] if self._bundles else 0.0
        self._now: datetime = semaphore["now"]
        self.pace = Pace(semaphore["start_rate"], semaphore["start_burst"], semaphore["next_start"])
        self.granted: list[Ticket] = []
        self._series: set[str] = set()
        self._left: list[str] = []
        """Transfers that are left alone this time."""

    def look_at(self, transfer_id: str) -> None:
        """Its bulk tickets need not wait for it any more once it is whole, or can never be a bundle."""
        found, _ = bundles.standing(self._connection, self._datastore_id, transfer_id, self._now)
        if found is not Standing.OPEN:
            bundles.expect_no_more(self._connection, self._datastore_id, transfer_id)

    def grant_some(self, free: int) -> bool:
        """At most so many; False: nothing is left to do."""
        rows = self._connection.run(
            ELIGIBLE,
            datastore_id=self._datastore_id,
            now=self._now,
            patience=self._patience,
            left=self._left,
            free=free,
        )
        # Two parts of one series may stand side by side in the queue: the first goes, the second waits.
        for row in rows:
            if row["transfer_id"] not in self._left and row["series_instance_uid"] not in self._series:
                self._take(row)
        return bool(rows)

    def _take(self, row: dict[str, Any]) -> None:
        transfer_id = row["transfer_id"]
        if row["closed"] and self._bundles:
            found, series = bundles.standing(self._connection, self._datastore_id, transfer_id, self._now)
            if found is Standing.READY:
                self._take_together(transfer_id, series)
                return
            if found is not Standing.NONE and row["bulk"] and row["young"]:
                self._left.append(transfer_id)
                return
        if row["bulk"]:  # the others of its transfer have nothing to wait for
            bundles.expect_no_more(self._connection, self._datastore_id, transfer_id)
        self._grant([row], None)

    def _take_together(self, transfer_id: str, series: int) -> None:
        rows = bundles.waiting(self._connection, self._datastore_id, transfer_id)
        if len(rows) == series:
            self._grant(rows, rows[0]["pk"])
        else:  # another transaction works on one of them: it runs the grant step when it has done
            self._left.append(transfer_id)

    def _grant(self, rows: list[dict[str, Any]], bundle: int | None) -> None:
        granted = self._connection.rows(
            Ticket,
            _GRANT,
            pks=[row["pk"] for row in rows],
            bundle=bundle,
            now=self._now,
            start_at=self.pace.next(self._now),
        )
        self._series |= {row["series_instance_uid"] for row in rows}
        self.granted += [ticket for ticket in granted if not ticket.asleep]


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
RETURNING {COLUMNS}, datastore_id, orphaned_at
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
            if row["bundle"] is not None:  # the import would take its series along
                bundles.dissolve(connection, row["bundle"])
    orphaned = any(row["orphaned_at"] is not None for row in rows)
    return Released(released=bool(rows) and not orphaned, orphaned=orphaned)


def mark_delivered(connection: Connection, ticket: Ticket) -> None:
    """The execution has its answer."""
    connection.run(
        "UPDATE ahlijob SET delivered_at = clock_timestamp() WHERE pk = :pk AND task_token = :token",
        pk=ticket.pk,
        token=ticket.task_token,
    )


_CANCEL_REFUSED = """
UPDATE ahlijob SET state = 'CANCELLED', over_at = clock_timestamp(), message = 'its execution is over',
    task_token = NULL
WHERE pk = :pk AND task_token = :token AND state IN ('WAITING', 'GRANTED') AND bundle IS NULL
RETURNING pk
"""

_LEADS = """
SELECT state FROM ahlijob
WHERE pk = :pk AND task_token = :token AND leads AND state IN ('GRANTED', 'STARTING')
FOR NO KEY UPDATE
"""

_CANCEL_LEADER = """
UPDATE ahlijob SET state = 'CANCELLED', over_at = clock_timestamp(), message = 'its execution is over'
WHERE pk = :pk AND state = 'WAITING'
"""


@dataclass(frozen=True)
class Refused:
    """`freed`: the grant step has to run. `leader`: leads its bundle from now on, and is to be delivered."""

    freed: bool = False
    leader: Ticket | None = None


def refused(connection: Connection, dead: Ticket) -> Refused:
    """The execution of a granted ticket is over: cancel it, unless a new token has come meanwhile.

    Of a bundle another ticket leads. Where none is left that can, each of them ends like this.
    """
    at = {"pk": dead.pk, "token": dead.task_token}
    leads = connection.one(_LEADS, **at) if dead.bundle is not None else None
    if dead.bundle is not None and leads is not None:
        leader = bundles.hand_over(connection, dead.bundle, dead.pk)
        if leader is not None or leads["state"] != TicketState.GRANTED.value:
            return Refused(leader=leader)  # with an intention written down, only a search can say more
        bundles.dissolve(connection, dead.bundle)
        connection.run(_CANCEL_LEADER, pk=dead.pk)
        return Refused(freed=True)
    if connection.one(_CANCEL_REFUSED, **at) is None:
        return Refused()
    give_start_back(connection, dead.pk)
    return Refused(freed=True)


def _ref(ref: SeriesTransferRef) -> dict[str, Any]:
    return {
        "transfer_id": ref.transfer_id,
        "series_instance_uid": ref.series_instance_uid,
        "fence": ref.fence,
    }
