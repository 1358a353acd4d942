"""The queue as an operator sees it and changes it, and as alarms watch it."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.db.connection import Connection


@dataclass(frozen=True)
class Pressure:
    """What alarms watch."""

    waiting: int
    oldest_waiter_seconds: float
    held: int
    gate_closed: bool
    out_of_order: int = 0
    """Granted within the last hour although an earlier transfer of their instances is unknown."""


_PRESSURE = """
SELECT count(*) FILTER (WHERE j.state = 'WAITING') AS waiting,
    COALESCE(CAST(EXTRACT(epoch FROM clock_timestamp()
        - min(j.created_at) FILTER (WHERE j.state = 'WAITING')) AS float), 0) AS oldest_waiter_seconds,
    count(*) FILTER (WHERE j.state IN ('GRANTED', 'STARTING', 'RUNNING')) AS held,
    COALESCE(bool_or(s.gate = 'CLOSED'), false) AS gate_closed,
    (SELECT count(*) FROM ahlijob o WHERE o.datastore_id = :datastore_id AND o.unknown_predecessor
        AND o.granted_at > clock_timestamp() - interval '1 hour') AS out_of_order
FROM semaphore s LEFT JOIN ahlijob j ON j.datastore_id = s.datastore_id
    AND j.state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING')
WHERE s.datastore_id = :datastore_id
"""


def pressure(connection: Connection, datastore_id: str) -> Pressure:
    """Counted now."""
    row = connection.one(_PRESSURE, datastore_id=datastore_id)
    return Pressure(**row) if row else Pressure(0, 0.0, 0, gate_closed=False)


# Whoever changes one of these runs the grant step afterwards and delivers.


def set_capacity(connection: Connection, datastore_id: str, capacity: int) -> None:
    """At most so many imports at a time; those that run are left to end."""
    connection.run(
        "UPDATE semaphore SET capacity = :capacity, updated_at = clock_timestamp() WHERE datastore_id = :id",
        capacity=capacity,
        id=datastore_id,
    )


def set_paused(connection: Connection, datastore_id: str, paused: bool) -> None:
    """No grants while paused; everything else goes on."""
    connection.run(
        "UPDATE semaphore SET paused = :paused, updated_at = clock_timestamp() WHERE datastore_id = :id",
        paused=paused,
        id=datastore_id,
    )


def set_priority(connection: Connection, ticket_id: int, priority: int) -> bool:
    """A lower number goes first (0 live, 1 bulk); False where the ticket does not wait any more."""
    row = connection.one(
        "UPDATE ahlijob SET priority = :priority WHERE pk = :pk AND state = 'WAITING' RETURNING pk",
        priority=priority,
        pk=ticket_id,
    )
    return row is not None


def cancel(connection: Connection, ticket_id: int, reason: str) -> str | None:
    """Take a waiting ticket out of the queue; its task token, with which its execution is told, or None."""
    row = connection.one(
        "UPDATE ahlijob SET state = 'CANCELLED', over_at = clock_timestamp(), message = :reason "
        "WHERE pk = :pk AND state = 'WAITING' RETURNING COALESCE(task_token, '') AS token",
        reason=reason,
        pk=ticket_id,
    )
    return row["token"] if row else None
