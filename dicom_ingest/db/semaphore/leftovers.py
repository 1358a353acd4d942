"""Tickets and series transfers whose execution may be gone: for reclaim_import_slots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import SeriesTransferRef
from dicom_ingest.db.semaphore.bundles import COLUMNS, Ticket
from dicom_ingest.db.server.connection import Connection, Database


@dataclass(frozen=True)
class Leftover:
    """A holder of a slot, or a series transfer without a ticket, that has not moved for a while."""

    series_transfer_pk: int
    transfer_id: str
    series_instance_uid: str
    correlation_id: str
    owner_execution: str
    fence: int
    prefix: str
    outcome: str | None
    datastore_id: str
    """The ticket's, which may be another than the configured one since a change of it."""
    ticket_id: int | None
    state: TicketState | None
    attempt: int
    import_id: str | None
    client_token: str | None
    job_name: str | None
    results_prefix: str | None
    import_over: bool
    """Its import (if one was needed) has ended and is recorded; only the release is lacking."""
    marked: bool
    bundle: int | None = None
    shared_over: bool = False
    """The import that it shares is over, and its leader has seen it."""


PAGE = 200

# Holders of slots, and what is not over and has no live ticket. Waiting tickets are not asked about: there
# may be 20,000, and the grant step finds the dead ones. Nor those of a bundle whose leader is at work.
_FIND = """
SELECT t.pk AS series_transfer_pk, t.transfer_id::text, t.series_instance_uid, t.correlation_id,
    t.owner_execution, t.fence, t.prefix, t.outcome,
    COALESCE(j.datastore_id, :datastore_id) AS datastore_id, j.pk AS ticket_id, j.state,
    COALESCE(j.attempt, 1) AS attempt, j.import_id, j.client_token, j.job_name, j.results_prefix,
    j.import_over_at IS NOT NULL AS import_over, j.orphaned_at IS NOT NULL AS marked, j.bundle,
    j.shared_over_at IS NOT NULL AS shared_over
FROM (
    SELECT series_transfer_pk AS pk, pk AS ticket_pk FROM ahlijob WHERE holds_slot AND NOT asleep
    UNION ALL
    SELECT o.pk, NULL FROM series_transfer o WHERE o.state <> 'OVER' AND NOT EXISTS (
        SELECT FROM ahlijob a WHERE a.series_transfer_pk = o.pk AND a.live)) found
JOIN series_transfer t ON t.pk = found.pk
LEFT JOIN ahlijob j ON j.pk = found.ticket_pk
WHERE t.owner_execution IS NOT NULL
  AND GREATEST(t.claimed_at, t.indexed_at, j.granted_at, j.starting_at, j.running_at, j.shared_over_at)
      < clock_timestamp() - make_interval(secs => :quiet)
  AND t.pk > :after
ORDER BY t.pk LIMIT :page
"""

# Leaders and single tickets with a slot, and members of a bundle whose import is over.
_UNDELIVERED = f"""
SELECT {COLUMNS} FROM ahlijob
WHERE holds_slot AND NOT asleep AND (state = 'GRANTED' OR bundle IS NOT NULL) AND delivered_at IS NULL
  AND import_over_at IS NULL
  AND GREATEST(granted_at, shared_over_at) < clock_timestamp() - make_interval(secs => :quiet)
ORDER BY pk
"""


# Ordered as the small indexes are. What is live is at the end of its table: EXISTS would read all the rest.
_ANYTHING_LIVE = """
SELECT coalesce(
    (SELECT pk FROM series_transfer WHERE state <> 'OVER' ORDER BY pk LIMIT 1),
    (SELECT pk FROM ahlijob WHERE live
     ORDER BY series_transfer_pk LIMIT 1)) IS NOT NULL AS live
"""


def find(
    connection: Connection, datastore_id: str, quiet_seconds: float, after: int = 0, page: int = PAGE
) -> list[Leftover]:
    """What has not moved for this long: one page, those with a pk above `after`."""
    return connection.rows(
        Leftover, _FIND, datastore_id=datastore_id, quiet=quiet_seconds, after=after, page=page
    )


_ALONE = "SELECT pg_try_advisory_lock(:lock) AS alone"
_NOT_ALONE = "SELECT pg_advisory_unlock(:lock)"
_LOCK = 0x52434C4D  # any constant that nothing else uses


@contextmanager
def only_pass(database: Database) -> Iterator[bool]:
    """Whether no other pass is at work: schedules and status changes overlap, and one pass is enough.

    The lock is the session's: it ends with the connection, whatever becomes of this environment.
    """
    with database.transaction() as connection:
        row = connection.one(_ALONE, lock=_LOCK)
    alone = bool(row and row["alone"])
    try:
        yield alone
    finally:
        if alone:
            with database.transaction() as connection:
                connection.run(_NOT_ALONE, lock=_LOCK)


def undelivered(connection: Connection, quiet_seconds: float = 30) -> list[Ticket]:
    """Granted tickets whose execution was never told, of whatever data store."""
    return connection.rows(Ticket, _UNDELIVERED, quiet=quiet_seconds)


def mark(connection: Connection, leftover: Leftover, grace_seconds: float) -> bool:
    """Mark a ticket ORPHANED; True once the mark is older than the grace."""
    if leftover.ticket_id is None:
        return True
    row = connection.one(
        "UPDATE ahlijob SET orphaned_at = COALESCE(orphaned_at, clock_timestamp()) "
        "WHERE pk = :pk AND fence = :fence AND holds_slot "
        "RETURNING orphaned_at < clock_timestamp() - make_interval(secs => :grace) AS aged",
        pk=leftover.ticket_id,
        fence=leftover.fence,
        grace=grace_seconds,
    )
    return bool(row and row["aged"])


def unmark(connection: Connection, leftover: Leftover) -> None:
    """Its execution runs after all: it was redriven."""
    connection.run(
        "UPDATE ahlijob SET orphaned_at = NULL WHERE pk = :pk AND fence = :fence AND holds_slot",
        pk=leftover.ticket_id,
        fence=leftover.fence,
    )


def leads_orphaned(connection: Connection, leftover: Leftover) -> bool:
    """Whether it still leads a bundle that has no import, and no execution has taken it over; locked."""
    row = connection.one(
        "SELECT FROM ahlijob WHERE pk = :pk AND fence = :fence AND leads AND orphaned_at IS NOT NULL "
        "AND state IN ('GRANTED', 'STARTING') FOR NO KEY UPDATE",
        pk=leftover.ticket_id,
        fence=leftover.fence,
    )
    return row is not None


def take_over(connection: Connection, leftover: Leftover, execution: str) -> SeriesTransferRef | None:
    """Claim it with a higher fence, unless its owner changed since it was found."""
    row = connection.one(
        "UPDATE series_transfer SET owner_execution = :execution, fence = fence + 1, "
        "claimed_at = clock_timestamp() WHERE pk = :pk AND fence = :fence RETURNING fence",
        pk=leftover.series_transfer_pk,
        fence=leftover.fence,
        execution=execution,
    )
    if row is None:
        return None
    connection.run(
        "UPDATE ahlijob SET owner_execution = :execution, fence = :fence "
        "WHERE series_transfer_pk = :pk AND live",
        pk=leftover.series_transfer_pk,
        fence=row["fence"],
        execution=execution,
    )
    return SeriesTransferRef(
        transfer_id=leftover.transfer_id,
        series_instance_uid=leftover.series_instance_uid,
        correlation_id=leftover.correlation_id,
        fence=row["fence"],
    )


def cancel(connection: Connection, ticket_id: int, message: str) -> None:
    """End a ticket that has no import."""
    connection.run(
        "UPDATE ahlijob SET state = 'CANCELLED', over_at = clock_timestamp(), message = :message, "
        "task_token = NULL WHERE pk = :pk AND state IN ('GRANTED', 'STARTING')",
        pk=ticket_id,
        message=message,
    )


def anything_live(connection: Connection) -> bool:
    """Whether anything is not over: while nothing is, the database may sleep."""
    row = connection.one(_ANYTHING_LIVE)
    return bool(row and row["live"])
