"""The queue as an operator sees it and changes it, and as alarms watch it."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.db.semaphore import bundles
from dicom_ingest.db.series.actions import SOMEBODY, noting
from dicom_ingest.db.server.connection import Connection


@dataclass(frozen=True)
class Pressure:
    """What alarms watch."""

    waiting: int
    oldest_waiter_seconds: float
    held: int
    gate_closed: bool
    out_of_order: int = 0
    """Granted within the last hour although an earlier transfer of their instances is unknown."""
    stranded: int = 0
    """Waiting for a data store that has been replaced: nothing will grant them a slot."""
    oldest_undelivered_seconds: float = 0
    """Granted, but its execution has not been told."""
    oldest_import_seconds: float = 0
    """Running at HealthImaging, of whatever data store."""


# Each number from the smallest index that has it: the queue's rows are not read, and no ended ticket is.
_PRESSURE = """
SELECT q.waiting, COALESCE(CAST(EXTRACT(epoch FROM clock_timestamp() - q.since) AS float), 0)
        AS oldest_waiter_seconds,
    h.held, s.gate = 'CLOSED' AS gate_closed,
    (SELECT count(*) FROM ahlijob o WHERE o.datastore_id = s.datastore_id AND o.unknown_predecessor
        AND o.granted_at > now() - interval '1 hour') AS out_of_order,
    (SELECT count(*) FROM ahlijob o
        WHERE o.datastore_id <> s.datastore_id AND o.state = 'WAITING') AS stranded,
    COALESCE(CAST(EXTRACT(epoch FROM clock_timestamp() - h.undelivered) AS float), 0)
        AS oldest_undelivered_seconds,
    COALESCE(CAST(EXTRACT(epoch FROM clock_timestamp() - h.running) AS float), 0) AS oldest_import_seconds
FROM semaphore s
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(created_at) AS since FROM ahlijob w
    WHERE w.datastore_id = s.datastore_id AND w.state = 'WAITING') q
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE datastore_id = s.datastore_id AND own_slot) AS held,
        min(granted_at) FILTER (WHERE datastore_id = s.datastore_id AND state = 'GRANTED'
            AND delivered_at IS NULL AND NOT asleep) AS undelivered,
        min(running_at) FILTER (WHERE state = 'RUNNING' AND import_over_at IS NULL) AS running
    FROM ahlijob WHERE holds_slot) h
WHERE s.datastore_id = :datastore_id
"""


def pressure(connection: Connection, datastore_id: str) -> Pressure:
    """Counted now."""
    counted = connection.row(Pressure, _PRESSURE, datastore_id=datastore_id)
    return counted or Pressure(0, 0.0, 0, gate_closed=False)


# A process that changes one of these runs the grant step afterwards and delivers.

_SET = "UPDATE semaphore SET {}, updated_at = clock_timestamp() WHERE datastore_id = :id RETURNING {}"
_OF_A_STORE = "CAST(NULL AS bigint) AS pk, CAST(NULL AS bigint) AS series_transfer_pk, datastore_id"
_CAPACITY = noting(
    _SET.format("capacity = :capacity", _OF_A_STORE), "'capacity ' || CAST(:capacity AS integer)"
)
_PAUSE = noting(
    _SET.format("paused = :paused", _OF_A_STORE),
    "CASE WHEN CAST(:paused AS boolean) THEN 'granting paused' ELSE 'granting resumed' END",
)
_OF_A_TICKET = "ahlijob.pk, ahlijob.series_transfer_pk, ahlijob.datastore_id"
_RAISE = noting(
    f"""
UPDATE ahlijob SET priority = CAST(:priority AS smallint),
    expects_bundle = expects_bundle AND CAST(:priority AS smallint) > 0
FROM (SELECT transfer_id, datastore_id FROM ahlijob WHERE pk = :pk AND state = 'WAITING') named
WHERE ahlijob.transfer_id = named.transfer_id AND ahlijob.datastore_id = named.datastore_id
  AND ahlijob.live AND ahlijob.state = 'WAITING' RETURNING {_OF_A_TICKET}
""",
    "'ticket raised'",
)


def set_capacity(connection: Connection, datastore_id: str, capacity: int, who: str = SOMEBODY) -> None:
    """At most so many imports at a time; those that run are left to end."""
    connection.run(_CAPACITY, capacity=capacity, id=datastore_id, who=who)


def set_paused(connection: Connection, datastore_id: str, paused: bool, who: str = SOMEBODY) -> None:
    """No grants while paused; everything else goes on."""
    connection.run(_PAUSE, paused=paused, id=datastore_id, who=who)


def set_priority(connection: Connection, ticket_id: int, priority: int, who: str = SOMEBODY) -> bool:
    """A lower number goes first (0 live, 1 bulk); False where the ticket does not wait any more.

    All waiting tickets of its transfer go with it: one import may take them together.
    """
    return bool(connection.run(_RAISE, priority=priority, pk=ticket_id, who=who))


# One waiting ticket, or all that are stranded.
_CHOSEN = """
SELECT j.pk, c.datastore_id AS configured
FROM ahlijob j CROSS JOIN (SELECT datastore_id FROM semaphore ORDER BY configured_at DESC LIMIT 1) c
WHERE j.state = 'WAITING' AND CASE WHEN CAST(:pk AS bigint) IS NULL THEN j.datastore_id <> c.datastore_id
                                   ELSE j.pk = CAST(:pk AS bigint) END
"""
_CANCEL = noting(
    f"""
UPDATE ahlijob SET state = 'CANCELLED', over_at = clock_timestamp(), message = :reason
FROM ({_CHOSEN}) chosen WHERE ahlijob.pk = chosen.pk AND ahlijob.state = 'WAITING' RETURNING {_OF_A_TICKET}
""",
    "'cancelled'",
    "CAST(:reason AS text)",
)
_MOVE = noting(
    f"""
UPDATE ahlijob SET datastore_id = chosen.configured FROM ({_CHOSEN}) chosen
WHERE ahlijob.pk = chosen.pk AND ahlijob.state = 'WAITING' AND ahlijob.datastore_id <> chosen.configured
RETURNING {_OF_A_TICKET}
""",
    "'moved to the configured data store'",
)


def cancel(connection: Connection, ticket_id: int | None, reason: str, who: str = SOMEBODY) -> list[int]:
    """Take a waiting ticket out of the queue (None: all that are stranded); those that were.

    Of a bundle whose import has not been started, any ticket may go: the others wait alone.
    Their executions are told after the commit: ``delivery.tell_cancelled``.
    """
    if ticket_id is not None:
        bundles.leave(connection, ticket_id)
    return [row["pk"] for row in connection.run(_CANCEL, pk=ticket_id, reason=reason, who=who)]


def move(connection: Connection, ticket_id: int | None, who: str = SOMEBODY) -> list[int]:
    """Let a stranded ticket (None: all of them) wait for the configured data store; those that were moved.

    They keep their place: the oldest ticket goes first.
    """
    return [row["pk"] for row in connection.run(_MOVE, pk=ticket_id, who=who)]


@dataclass(frozen=True)
class Untold:
    """A cancelled ticket whose execution still waits for it."""

    pk: int
    task_token: str
    message: str


_UNTOLD = """
SELECT pk, task_token, COALESCE(message, '') AS message FROM ahlijob
WHERE state = 'CANCELLED' AND task_token IS NOT NULL ORDER BY pk
"""


def untold(connection: Connection) -> list[Untold]:
    """Cancelled tickets whose executions were not told yet."""
    return connection.rows(Untold, _UNTOLD)


def told(connection: Connection, ticket: Untold) -> None:
    """Its execution knows, or its token is good for nothing."""
    connection.run(
        "UPDATE ahlijob SET task_token = NULL WHERE pk = :pk AND task_token = :token",
        pk=ticket.pk,
        token=ticket.task_token,
    )
