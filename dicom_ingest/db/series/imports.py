"""Imports: what a data store already holds, the intention to start, the start, and the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.outcomes import Outcome, TicketState
from dicom_ingest.contracts.steps import SeriesTransferRef
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError, DatabaseConflictError


@dataclass(frozen=True)
class Held:
    """Of a transfer's instances: how many a data store holds unchanged, or in a newer version."""

    instances: int
    unchanged: int
    newer: int

    @property
    def outcome(self) -> Outcome | None:
        """DUPLICATE or SUPERSEDED where nothing must be imported."""
        if self.newer:
            return Outcome.SUPERSEDED
        if self.instances and self.unchanged == self.instances:
            return Outcome.DUPLICATE
        return None


# HealthImaging lets the last import win, so the version counts that was imported last. All versions are
# read once and sorted: as a join of instances, a planner without statistics compared each with each.
_HELD = """
WITH versions AS (
    SELECT i.sop_instance_uid, i.dataset_sha256, i.received_at, i.imported_at, t.edge, t.sequence,
        t.pk = own.pk AND i.verdict <> 'MISSING' AS mine,
        (i.datastore_id = :datastore_id AND i.verdict IN ('IMPORTED', 'WARNED')) IS TRUE AS held
    FROM series_transfer own
    JOIN series_transfer t USING (study_instance_uid, series_instance_uid)
    JOIN instance_transfer i ON i.series_transfer_pk = t.pk
    WHERE own.pk = :pk),
beside AS (
    SELECT *, first_value(held) OVER latest AS known,
        first_value(dataset_sha256) OVER latest AS known_sha256,
        first_value(received_at) OVER latest AS known_received_at,
        first_value(edge) OVER latest AS known_edge, first_value(sequence) OVER latest AS known_sequence
    FROM versions
    WINDOW latest AS (PARTITION BY sop_instance_uid ORDER BY held DESC, imported_at DESC))
SELECT count(*) AS instances,
    count(*) FILTER (WHERE known AND known_sha256 = dataset_sha256) AS unchanged,
    count(*) FILTER (WHERE known AND known_sha256 <> dataset_sha256 AND CASE
        WHEN known_edge = edge THEN known_sequence > sequence
        ELSE known_received_at > received_at END) AS newer
FROM beside WHERE mine
"""


def held(connection: Connection, series_transfer_pk: int, datastore_id: str) -> Held:
    """What the data store holds of a series transfer already."""
    row = connection.one(_HELD, pk=series_transfer_pk, datastore_id=datastore_id)
    return Held(**row) if row else Held(0, 0, 0)


@dataclass(frozen=True)
class Ticket:
    """An execution's ticket as the import needs it."""

    pk: int
    datastore_id: str
    """Whose slot it holds, and where its import was started."""
    state: TicketState
    attempt: int
    import_id: str | None
    client_token: str | None
    intended_lately: bool
    series_transfer_pk: int
    prefix: str
    retried: bool
    forced: bool


_MINE = """
SELECT j.pk, j.datastore_id, j.state, j.attempt, j.import_id, j.client_token,
    t.pk AS series_transfer_pk, t.prefix,
    jsonb_array_length(j.earlier_imports) > 0 AS retried,
    COALESCE(j.starting_at > clock_timestamp() - interval '10 minutes', true) AS intended_lately,
    EXISTS (
        SELECT FROM forced_import f WHERE f.series_transfer_pk = t.pk AND f.execution = :execution) AS forced
FROM series_transfer t JOIN ahlijob j ON j.series_transfer_pk = t.pk
WHERE t.transfer_id = :transfer_id AND t.series_instance_uid = :series_instance_uid
  AND t.owner_execution = :execution AND t.fence = :fence AND j.pk = :ticket_id
FOR NO KEY UPDATE OF t, j
"""


def ticket(connection: Connection, ref: SeriesTransferRef, execution: str, ticket_id: int) -> Ticket:
    """The execution's ticket, locked.

    Raises:
        ClaimLostError: another execution owns the series transfer, or the ticket is not its own.
    """
    row = connection.one(
        _MINE,
        transfer_id=ref.transfer_id,
        series_instance_uid=ref.series_instance_uid,
        fence=ref.fence,
        execution=execution,
        ticket_id=ticket_id,
    )
    if row is None:
        raise ClaimLostError(f"ticket {ticket_id} of {ref.transfer_id}")
    return Ticket(**row | {"state": TicketState(row["state"])})


_MOVE = """
UPDATE ahlijob SET datastore_id = :datastore_id
WHERE pk = :pk AND state IN ('GRANTED', 'STARTING') AND NOT EXISTS (
    SELECT FROM ahlijob other
    WHERE other.datastore_id = :datastore_id AND other.series_instance_uid = ahlijob.series_instance_uid
      AND other.pk <> ahlijob.pk AND other.state IN ('GRANTED', 'STARTING', 'RUNNING'))
RETURNING pk
"""


def move(connection: Connection, pk: int, datastore_id: str) -> None:
    """The ticket's data store was replaced before an import was started: its slot is one of the new one's.

    Raises:
        DatabaseConflictError: an import of the same series holds a slot there; later it will not.
    """
    # What the grant step locks: it grants no other ticket of the series meanwhile.
    connection.run(
        "SELECT FROM semaphore WHERE datastore_id = :datastore_id FOR NO KEY UPDATE",
        datastore_id=datastore_id,
    )
    if connection.one(_MOVE, pk=pk, datastore_id=datastore_id) is None:
        raise DatabaseConflictError(f"ticket {pk}: another import of its series holds a slot")


_INTEND = """
UPDATE ahlijob SET state = 'STARTING', job_name = :job_name, results_prefix = :results_prefix,
    starting_at = CASE WHEN client_token = :client_token THEN starting_at ELSE clock_timestamp() END,
    client_token = :client_token, import_over_at = NULL, outcome = NULL, message = NULL
WHERE pk = :pk AND state IN ('GRANTED', 'STARTING') RETURNING pk
"""


def intend(connection: Connection, pk: int, client_token: str, job_name: str, results_prefix: str) -> None:
    """Write the intention down before the call: after a crash the same token finds the same job.

    `starting_at` stays the time of the token's first use: HealthImaging may forget a token that is old.

    Raises:
        ClaimLostError: the ticket holds no slot any more.
    """
    row = connection.one(
        _INTEND, pk=pk, client_token=client_token, job_name=job_name, results_prefix=results_prefix
    )
    if row is None:
        raise ClaimLostError(f"ticket {pk} holds no slot")


def running(connection: Connection, pk: int, client_token: str, import_id: str, status: str) -> None:
    """HealthImaging gave the import of this token its id; a token of an earlier attempt changes nothing."""
    connection.run(
        "UPDATE series_transfer t SET state = 'IMPORTING' FROM ahlijob j "
        "WHERE j.pk = :pk AND j.client_token = :client_token AND t.pk = j.series_transfer_pk "
        "AND j.state IN ('STARTING', 'RUNNING') AND t.state <> 'OVER'",
        pk=pk,
        client_token=client_token,
    )
    connection.run(
        "UPDATE ahlijob SET state = 'RUNNING', running_at = COALESCE(running_at, clock_timestamp()), "
        "import_id = :import_id, import_status = :status "
        "WHERE pk = :pk AND client_token = :client_token AND state IN ('STARTING', 'RUNNING')",
        pk=pk,
        client_token=client_token,
        import_id=import_id,
        status=status,
    )


def next_attempt(connection: Connection, pk: int, status: str, message: str | None) -> int:
    """The attempt's import is known to be over and earns another; its number."""
    row = connection.one(
        "UPDATE ahlijob SET state = 'STARTING', attempt = attempt + 1, import_id = NULL, "
        "import_status = NULL, client_token = NULL, starting_at = NULL, running_at = NULL, "
        "import_over_at = NULL, outcome = NULL, message = NULL, "
        "earlier_imports = earlier_imports || jsonb_build_object('attempt', attempt, "
        "'import_id', import_id, 'status', CAST(:status AS text), 'message', CAST(:message AS text)) "
        "WHERE pk = :pk AND state = 'RUNNING' RETURNING attempt",
        pk=pk,
        status=status,
        message=message,
    )
    if row is None:
        raise ClaimLostError(f"ticket {pk} runs no import")
    return int(row["attempt"])


def import_over(
    connection: Connection, pk: int, status: str, outcome: Outcome, message: str | None
) -> dict[str, Any] | None:
    """The import has ended, or none was needed; the slot stays held until it is released."""
    return connection.one(
        "UPDATE ahlijob SET import_status = :status, outcome = :outcome, message = :message, "
        "import_over_at = clock_timestamp() "
        "WHERE pk = :pk AND state IN ('GRANTED', 'STARTING', 'RUNNING') RETURNING pk",
        pk=pk,
        status=status,
        outcome=outcome.value,
        message=message,
    )
