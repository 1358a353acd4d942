"""The grant step: free slots go to those that wait. Capacity is counted, order is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.db.semaphore import bundles
from dicom_ingest.db.semaphore.bundles import COLUMNS, MAY_IMPORT, Standing, Ticket
from dicom_ingest.db.semaphore.reserve import Reserve
from dicom_ingest.db.semaphore.starts import Pace
from dicom_ingest.db.server.connection import Connection

# A plain lock, waiting: with SKIP LOCKED here two grant steps can each see the other's work undone, and a
# waiter would sleep beside a free slot. NO KEY: a ticket's foreign key holds a KEY SHARE lock on this row
# since its INSERT, which a full FOR UPDATE would wait for: two acquires would deadlock.
_LOCK = """
SELECT capacity, start_rate, start_burst, next_start, bundles, bundle_patience, live_needs, live_needs_hour,
       paused OR gate = 'CLOSED' AS shut,
       COALESCE(CAST(:now AS timestamptz), clock_timestamp()) AS now
FROM semaphore WHERE datastore_id = :datastore_id FOR NO KEY UPDATE
"""

_HOLDERS = """
SELECT count(*) AS holders, count(*) FILTER (WHERE priority <= 0) AS live FROM ahlijob
WHERE datastore_id = :datastore_id AND own_slot
"""

# No more are counted than there are slots.
_LIVE_WAITING = """
SELECT count(*) AS live FROM (
    SELECT FROM ahlijob WHERE datastore_id = :datastore_id AND state = 'WAITING' AND priority <= 0
    ORDER BY priority, pk LIMIT :capacity) waiting
"""

# `closed`: its transfer may be a bundle. A bulk ticket that expects to be of one has patience.
# `gathered`: by the edge, so that its series share an import. `lacks_starts`: it has waited for long.
ELIGIBLE = f"""
SELECT w.pk, w.series_instance_uid, w.transfer_id::text AS transfer_id, w.priority > 0 AS bulk,
    w.created_at > CAST(:now AS timestamptz) - make_interval(secs => :patience) AS young,
    GREATEST(t.priority, w.priority) > 0 AS gathered,
    w.created_at <= CAST(:now AS timestamptz) - make_interval(secs => :share_after) AS lacks_starts,
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

MOST_AT_ONCE = 50
"""Tickets that one look at the queue returns."""

SHARE_AFTER_SECONDS = 60.0
"""The series of a live study share an import if they have waited for so long and slots are free.

HealthImaging takes the files of an import one after the other: in slots of their own they are sooner there,
unless starts have been lacking for a while.
"""

_CHANGED = """
UPDATE semaphore SET next_start = :next_start, live_needs = CAST(:live_needs AS integer[]),
    live_needs_hour = :live_needs_hour
WHERE datastore_id = :datastore_id
"""


def grant(
    connection: Connection, datastore_id: str, now: datetime | None = None, transfer_id: str | None = None
) -> list[Ticket]:
    """Give free slots to the waiting, by priority and then order of arrival; at most one per series.

    Only as many as may start within seconds: every start runs the grant step again. So under a backlog a
    series waits in the queue, where it can share an import, and not for a start that it was promised.
    As many slots are kept for `live` series as they have needed about this time of day, a share at least.

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
    while step.grant_some():
        pass
    step.write_down()
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
        self._capacity: int = semaphore["capacity"]
        self._reserve = Reserve(semaphore["live_needs"], semaphore["live_needs_hour"])
        self._kept = kept_for_live(self._capacity, self._reserve.about(self._now))
        counted = connection.run(_HOLDERS, datastore_id=datastore_id)[0]
        self._holders: int = counted["holders"]
        self._live: int = counted["live"]
        self.granted: list[Ticket] = []
        self._series: set[str] = set()
        self._left: list[str] = []
        """Transfers that are left alone this time."""

    def look_at(self, transfer_id: str) -> None:
        """Its bulk tickets need not wait for it any more once it is whole, or can never be a bundle."""
        if not bundles.any_expects(self._connection, self._datastore_id, transfer_id):
            return
        found, _ = bundles.standing(self._connection, self._datastore_id, transfer_id, self._now)
        if found is not Standing.OPEN:
            bundles.expect_no_more(self._connection, self._datastore_id, transfer_id)

    def _may_start(self, *, bulk: bool) -> bool:
        """Whether a slot is free, for this kind of series, and a start is near."""
        most = self._capacity - self._kept if bulk else self._capacity
        held = self._holders + len(self.granted) - (self._live if bulk else 0)
        return self._free > 0 and held < most and self.pace.is_near(self._now, bulk=bulk)

    @property
    def _free(self) -> int:
        return self._capacity - self._holders - len(self.granted)

    def grant_some(self) -> bool:
        """As many as one look at the queue finds; False: nothing is left to do."""
        if not self._may_start(bulk=False):
            return False
        rows = self._connection.run(
            ELIGIBLE,
            datastore_id=self._datastore_id,
            now=self._now,
            patience=self._patience,
            left=self._left,
            share_after=SHARE_AFTER_SECONDS,
            free=min(MOST_AT_ONCE, self._free),
        )
        # Two parts of one series may stand side by side in the queue: the first goes, the second waits.
        for row in rows:
            if row["transfer_id"] in self._left or row["series_instance_uid"] in self._series:
                continue
            if not self._may_start(bulk=row["bulk"]):
                return False  # what comes after it is not more urgent
            self._take(row)
        return bool(rows)

    def _take(self, row: dict[str, Any]) -> None:
        transfer_id = row["transfer_id"]
        if row["closed"] and self._bundles and (row["gathered"] or row["lacks_starts"]):
            found, series = bundles.standing(self._connection, self._datastore_id, transfer_id, self._now)
            if found is Standing.READY and (row["gathered"] or series <= self._free):
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
            start_at=self.pace.next(self._now, bulk=rows[0]["bulk"]),
        )
        self._series |= {row["series_instance_uid"] for row in rows}
        told = [ticket for ticket in granted if not ticket.asleep]
        self.granted += told
        self._live += 0 if rows[0]["bulk"] else len(told)

    def write_down(self) -> None:
        """What the next step has to know: when the next start is, and what live series need."""
        waiting = 0
        if self._free <= 0:
            waiting = self._connection.run(
                _LIVE_WAITING, datastore_id=self._datastore_id, capacity=self._capacity
            )[0]["live"]
        self._reserve.saw(self._live + waiting, self._now)
        if self.granted or self._reserve.changed:
            self._connection.run(
                _CHANGED,
                datastore_id=self._datastore_id,
                next_start=self.pace.theoretical_arrival,
                live_needs=self._reserve.by_hour,
                live_needs_hour=self._reserve.hour,
            )
