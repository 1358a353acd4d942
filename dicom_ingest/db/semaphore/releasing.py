"""How a ticket ends: released by its execution, or cancelled because that one is gone. Nothing leaks."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import SeriesTransferRef
from dicom_ingest.db.semaphore import bundles
from dicom_ingest.db.semaphore.bundles import COLUMNS, Ticket
from dicom_ingest.db.semaphore.starts import give_start_back
from dicom_ingest.db.series import claiming
from dicom_ingest.db.server.connection import Connection

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
    mine = claiming.lock_mine(connection, ref, execution)
    rows = (
        connection.run(
            _RELEASE,
            execution=execution,
            transfer_id=ref.transfer_id,
            series_instance_uid=ref.series_instance_uid,
            fence=ref.fence,
        )
        if mine
        else []
    )
    for row in rows:
        if row["state"] == TicketState.CANCELLED.value:
            if row["bundle"] is not None:  # the import would take its series along
                bundles.dissolve(connection, row["bundle"])
            give_start_back(connection, row["datastore_id"])
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
RETURNING datastore_id
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
    cancelled = connection.one(_CANCEL_REFUSED, **at)
    if cancelled is None:
        return Refused()
    give_start_back(connection, cancelled["datastore_id"])
    return Refused(freed=True)
