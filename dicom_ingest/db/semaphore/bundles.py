"""Bundles: the series transfers of one closed transfer, granted together and imported by one job.

A bundle holds one slot and has one start. One of its tickets leads: its execution starts and polls the
import, the others sleep on their task tokens. What is true of the import is written on every ticket of the
bundle, so that each can be recorded, reclaimed and released as if it were alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import ImportState
from dicom_ingest.db.semaphore.starts import give_start_back
from dicom_ingest.db.server.connection import Connection

MAX_INSTANCES = 5000
"""HealthImaging takes so many files an import."""
MAX_BYTES = 10_000_000_000


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
    bundle: int | None = None
    asleep: bool = False
    """Its execution sleeps until the leader of its bundle has seen the end of their import."""


COLUMNS = "pk, state, attempt, fence, start_at, owner_execution, task_token, bundle, asleep"


UNKNOWN_AFTER = "1 hour"
"""A predecessor that the index has never heard of holds a ticket back for this long only."""

# Of ticket w of series transfer t. No import of the same series holds a slot, and every earlier transfer that
# holds one of its instances is over (or unknown for an hour).
MAY_IMPORT = f"""
  NOT EXISTS (
    SELECT FROM ahlijob h WHERE h.datastore_id = w.datastore_id
      AND h.series_instance_uid = w.series_instance_uid AND h.holds_slot)
  AND NOT EXISTS (
    SELECT FROM unnest(t.after) earlier
    LEFT JOIN series_transfer p
      ON p.transfer_id = earlier AND p.series_instance_uid = t.series_instance_uid
    WHERE CASE WHEN p.pk IS NULL THEN w.created_at > CAST(:now AS timestamptz) - interval '{UNKNOWN_AFTER}'
               ELSE p.state <> 'OVER' END)
"""

# `lost`: series that cannot be of a bundle any more. What became of one in another data store does not count.
_STANDING = f"""
SELECT count(*) AS series, max(t.transfer_series) AS announced, count(w.pk) AS waiting,
    COALESCE(sum(GREATEST(t.instance_count, t.objects_found)), 0) AS instances,
    COALESCE(sum(t.total_bytes), 0) AS bytes, count(DISTINCT t.edge) AS edges,
    count(w.pk) FILTER (WHERE {MAY_IMPORT}) AS may_import,
    count(*) FILTER (WHERE
        t.state = 'OVER' AND t.outcome IS DISTINCT FROM 'INDEXED'
            AND COALESCE(t.datastore_id, :datastore_id) = :datastore_id
        OR EXISTS (SELECT FROM forced_import f WHERE f.series_transfer_pk = t.pk)
        OR EXISTS (SELECT FROM ahlijob a WHERE a.series_transfer_pk = t.pk
                   AND a.datastore_id = :datastore_id AND a.pk IS DISTINCT FROM w.pk)) AS lost
FROM series_transfer t
LEFT JOIN ahlijob w ON w.series_transfer_pk = t.pk AND w.datastore_id = :datastore_id
    AND w.state = 'WAITING' AND w.earlier_imports = '[]' AND NOT w.alone
WHERE t.transfer_id = :transfer_id
"""


class Standing(Enum):
    """The state of a transfer before the grant step."""

    READY = "all of it may be granted now, together"
    BLOCKED = "all of it waits, but one of its series is being imported, or waits for an earlier transfer"
    OPEN = "it may still become a bundle"
    NONE = "its series go alone"


def standing(
    connection: Connection, datastore_id: str, transfer_id: str, now: datetime
) -> tuple[Standing, int]:
    """Whether the series of a transfer can be imported together; how many there are."""
    row = connection.one(_STANDING, datastore_id=datastore_id, transfer_id=transfer_id, now=now)
    if row is None:
        return Standing.NONE, 0
    series, announced = row["series"], row["announced"]
    return _standing(row, series, announced), series


def _standing(row: dict[str, Any], series: int, announced: int | None) -> Standing:
    if row["lost"] or row["edges"] > 1 or announced == 1 or (announced or series) < series:
        return Standing.NONE
    if row["instances"] > MAX_INSTANCES or row["bytes"] > MAX_BYTES:
        return Standing.NONE
    if series != announced or row["waiting"] < series:
        return Standing.OPEN
    return Standing.READY if row["may_import"] == series else Standing.BLOCKED


_LOCK_WAITING = """
SELECT pk, series_instance_uid, transfer_id::text AS transfer_id, priority > 0 AS bulk FROM ahlijob
WHERE transfer_id = :transfer_id AND datastore_id = :datastore_id AND state = 'WAITING' AND live
ORDER BY pk FOR UPDATE SKIP LOCKED
"""

_ANY_EXPECTS = """
SELECT FROM ahlijob WHERE transfer_id = :transfer_id AND datastore_id = :datastore_id AND live
  AND state = 'WAITING' AND expects_bundle LIMIT 1
"""

_EXPECT_NO_MORE = """
UPDATE ahlijob SET expects_bundle = false WHERE pk IN (
    SELECT pk FROM ahlijob WHERE transfer_id = :transfer_id AND datastore_id = :datastore_id AND live
      AND state = 'WAITING' AND expects_bundle FOR UPDATE SKIP LOCKED)
"""


def waiting(connection: Connection, datastore_id: str, transfer_id: str) -> list[dict[str, Any]]:
    """The waiting tickets of a transfer, locked; without those that another transaction works on."""
    return connection.run(_LOCK_WAITING, datastore_id=datastore_id, transfer_id=transfer_id)


def any_expects(connection: Connection, datastore_id: str, transfer_id: str) -> bool:
    """Whether a ticket of a transfer waits for the others."""
    return connection.one(_ANY_EXPECTS, datastore_id=datastore_id, transfer_id=transfer_id) is not None


def expect_no_more(connection: Connection, datastore_id: str, transfer_id: str) -> None:
    """The tickets of a transfer wait for nothing but a slot."""
    connection.run(_EXPECT_NO_MORE, datastore_id=datastore_id, transfer_id=transfer_id)


# In one order, and before the semaphore: else two of them wait for each other.
_LOCK = "SELECT datastore_id FROM ahlijob WHERE bundle = :bundle AND holds_slot ORDER BY pk FOR NO KEY UPDATE"

# It asks for the states itself: what decided this may have read them before the import was started.
# Tokens are kept: an execution may not have been told yet, and a used token does no harm.
_DISSOLVE = """
UPDATE ahlijob SET state = 'WAITING', alone = true, bundle = NULL, leads = false, shared_over_at = NULL,
    results_uri = NULL, datastore_id = COALESCE(CAST(:datastore_id AS text), datastore_id),
    attempt = attempt + CASE WHEN CAST(:status AS text) IS NULL THEN 0 ELSE 1 END,
    earlier_imports = CASE WHEN CAST(:status AS text) IS NULL THEN earlier_imports
        ELSE earlier_imports || jsonb_build_object(
            'attempt', attempt, 'import_id', import_id, 'bundle', bundle, 'at', clock_timestamp(),
            'status', CAST(:status AS text), 'message', CAST(:message AS text),
            'excused', CAST(:excused AS boolean)) END,
    import_id = NULL, import_status = NULL, client_token = NULL, job_name = NULL, results_prefix = NULL,
    granted_at = NULL, start_at = NULL, delivered_at = NULL, starting_at = NULL, running_at = NULL,
    import_over_at = NULL, outcome = NULL, message = NULL
WHERE bundle = :bundle AND shared_over_at IS NULL AND state = ANY (string_to_array(:states, ' '))
  AND (CAST(:only AS bigint[]) IS NULL OR pk = ANY (CAST(:only AS bigint[])))
"""

NOT_INTENDED = "GRANTED"
NOT_STARTED = "GRANTED STARTING"


def dissolve(
    connection: Connection,
    bundle: int,
    datastore_id: str | None = None,
    failed: ImportState | None = None,
    *,
    excused: bool = False,
    only: list[int] | None = None,
    states: str = NOT_STARTED,
) -> None:
    """Each of its tickets waits alone, in its old place. The caller runs the grant step.

    Nothing changes if its import runs, unless that one is over and `failed`: this costs each of them its
    first attempt. `only`: those of which it failed. `datastore_id`: the one that they wait for from now on.
    """
    before = connection.run(_LOCK, bundle=bundle)
    connection.run(
        _DISSOLVE,
        bundle=bundle,
        datastore_id=datastore_id,
        states="RUNNING" if failed else states,
        status=failed and failed.status,
        message=failed and failed.message,
        excused=excused,
        only=only,
    )
    for datastore in {row["datastore_id"] for row in before}:
        give_start_back(connection, datastore)


_HAND_OVER = f"""
WITH next AS (
    SELECT min(pk) AS pk FROM ahlijob
    WHERE bundle = :bundle AND asleep AND orphaned_at IS NULL AND pk <> :pk)
UPDATE ahlijob SET leads = (ahlijob.pk = next.pk),
    orphaned_at = CASE WHEN ahlijob.pk = :pk THEN COALESCE(orphaned_at, clock_timestamp()) END
FROM next WHERE ahlijob.pk IN (next.pk, :pk) AND next.pk IS NOT NULL AND bundle = :bundle
RETURNING {", ".join(f"ahlijob.{name}" for name in COLUMNS.split(", "))}
"""


def hand_over(connection: Connection, bundle: int, leader: int) -> Ticket | None:
    """The leader's execution is gone, no import was started: the next ticket leads, and is to be delivered.

    The old one stays in the bundle, whose import takes its series along. None: no other can lead.
    """
    rows = connection.rows(Ticket, _HAND_OVER, bundle=bundle, pk=leader)
    return next((ticket for ticket in rows if ticket.pk != leader), None)


_OVER = """
UPDATE ahlijob SET shared_over_at = clock_timestamp(), import_status = :status, results_uri = :uri,
    message = :message
WHERE bundle = :bundle AND state = 'RUNNING' AND shared_over_at IS NULL
"""

_TO_WAKE = f"""
SELECT {COLUMNS} FROM ahlijob
WHERE bundle = :bundle AND holds_slot AND NOT leads AND shared_over_at IS NOT NULL AND delivered_at IS NULL
ORDER BY pk
"""


def over(connection: Connection, bundle: int, ended: ImportState, results_uri: str | None) -> None:
    """Its import is over, and how: for all of its tickets."""
    connection.run(_OVER, bundle=bundle, status=ended.status, uri=results_uri, message=ended.message)


def to_wake(connection: Connection, bundle: int | None) -> list[Ticket]:
    """Tickets whose executions have not been told yet that their import is over."""
    return connection.rows(Ticket, _TO_WAKE, bundle=bundle)


_BUNDLE = "SELECT bundle FROM ahlijob WHERE pk = :pk AND bundle IS NOT NULL"


def leave(connection: Connection, ticket_id: int) -> None:
    """Dissolve the bundle of a ticket, unless its import is about to be started, or was."""
    row = connection.one(_BUNDLE, pk=ticket_id)
    if row is not None:
        dissolve(connection, row["bundle"], states=NOT_INTENDED)


_MEMBERS = """
SELECT j.pk, j.series_transfer_pk, j.series_instance_uid, t.instance_count AS instances,
    EXISTS (SELECT FROM series_transfer o WHERE o.series_instance_uid = j.series_instance_uid
            AND o.pk <> j.series_transfer_pk) AS seen_before
FROM ahlijob j JOIN series_transfer t ON t.pk = j.series_transfer_pk
WHERE j.bundle = :bundle ORDER BY j.pk FOR NO KEY UPDATE OF j
"""


@dataclass(frozen=True)
class Member:
    """A ticket of a bundle. `seen_before`: another transfer has instances of its series, too."""

    pk: int
    series_transfer_pk: int
    series_instance_uid: str
    instances: int
    seen_before: bool


def members(connection: Connection, bundle: int) -> list[Member]:
    """All of a bundle, those that have ended included; locked."""
    return connection.rows(Member, _MEMBERS, bundle=bundle)
