"""Attempts to import: the intention to start, the start, the end, and the next attempt."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.contracts.messages.outcomes import Outcome, TicketState
from dicom_ingest.contracts.messages.steps import ImportState, SeriesTransferRef
from dicom_ingest.db.semaphore import bundles, gate
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError, SlotLostError


@dataclass(frozen=True)
class Attempt:
    """An execution's ticket as the import needs it. `pk`: the ticket's."""

    pk: int
    datastore_id: str
    """Whose slot it holds, and where its import was started."""
    state: TicketState
    number: int
    import_id: str | None
    client_token: str | None
    intended_lately: bool
    series_transfer_pk: int
    prefix: str
    retried: bool
    """It is the one new attempt: an earlier one failed, and the data store was not to blame."""
    excusable: bool
    """Its first failure is younger than a day."""
    forced: bool
    bundle: int | None = None
    leads: bool = False
    shared_over: bool = False
    """The import of its bundle is over; `import_status`, `message` and `results_uri` say how."""
    import_status: str | None = None
    message: str | None = None
    results_uri: str | None = None

    @property
    def member(self) -> bool:
        """Another ticket's execution starts and polls its import."""
        return self.bundle is not None and not self.leads


_MINE = """
SELECT j.pk, j.datastore_id, j.state, j.attempt AS number, j.import_id, j.client_token,
    t.pk AS series_transfer_pk, t.prefix, j.bundle, j.leads, j.shared_over_at IS NOT NULL AS shared_over,
    j.import_status, j.message, j.results_uri,
    EXISTS (SELECT FROM jsonb_array_elements(j.earlier_imports) e
            WHERE (e ->> 'excused') IS DISTINCT FROM 'true') AS retried,
    COALESCE(CAST(j.earlier_imports -> 0 ->> 'at' AS timestamptz)
        > clock_timestamp() - interval '1 day', true) AS excusable,
    COALESCE(j.starting_at > clock_timestamp() - interval '10 minutes', true) AS intended_lately,
    EXISTS (
        SELECT FROM forced_import f WHERE f.series_transfer_pk = t.pk AND f.execution = :execution) AS forced
FROM series_transfer t JOIN ahlijob j ON j.series_transfer_pk = t.pk
WHERE t.transfer_id = :transfer_id AND t.series_instance_uid = :series_instance_uid
  AND t.owner_execution = :execution AND t.fence = :fence AND j.pk = :ticket_id
FOR NO KEY UPDATE OF t, j
"""


def attempt(connection: Connection, ref: SeriesTransferRef, execution: str, ticket_id: int) -> Attempt:
    """The execution's ticket, locked.

    Raises:
        ClaimLostError: another execution owns the series transfer.
    """
    found = connection.row(
        Attempt,
        _MINE,
        transfer_id=ref.transfer_id,
        series_instance_uid=ref.series_instance_uid,
        fence=ref.fence,
        execution=execution,
        ticket_id=ticket_id,
    )
    if found is None:
        raise ClaimLostError(f"ticket {ticket_id} of {ref.transfer_id}")
    return found


# All tickets of a bundle go through the states of their one import together.
_OF = "(pk = :pk OR bundle = (SELECT b.bundle FROM ahlijob b WHERE b.pk = :pk))"

_INTEND = f"""
UPDATE ahlijob SET state = 'STARTING', job_name = :job_name, results_prefix = :results_prefix,
    starting_at = CASE WHEN client_token = :client_token THEN starting_at ELSE clock_timestamp() END,
    client_token = :client_token, import_over_at = NULL, outcome = NULL, message = NULL
WHERE {_OF} AND state IN ('GRANTED', 'STARTING') RETURNING pk
"""


def intend(connection: Connection, pk: int, client_token: str, job_name: str, results_prefix: str) -> None:
    """Write the intention down before the call: after a crash the same token finds the same job.

    `starting_at` stays the time of the token's first use: HealthImaging may forget a token that is old.

    Raises:
        SlotLostError: the ticket holds no slot.
    """
    rows = connection.run(
        _INTEND, pk=pk, client_token=client_token, job_name=job_name, results_prefix=results_prefix
    )
    if pk not in {row["pk"] for row in rows}:
        raise SlotLostError(f"ticket {pk} holds no slot")


_IMPORTING = f"""
UPDATE series_transfer t SET state = 'IMPORTING' FROM ahlijob j
WHERE {_OF.replace("pk = :pk OR bundle", "j.pk = :pk OR j.bundle")}
  AND j.client_token = :client_token AND t.pk = j.series_transfer_pk
  AND j.state IN ('STARTING', 'RUNNING') AND t.state <> 'OVER'
"""

_RUNNING = f"""
UPDATE ahlijob SET state = 'RUNNING', running_at = COALESCE(running_at, clock_timestamp()),
    import_id = :import_id, import_status = :status
WHERE {_OF} AND client_token = :client_token AND state IN ('STARTING', 'RUNNING') AND shared_over_at IS NULL
RETURNING pk
"""


def running(connection: Connection, pk: int, client_token: str, import_id: str, status: str) -> int:
    """HealthImaging gave the import of this token its id; a token of an earlier attempt changes nothing.

    Returned is how many series the import takes.
    """
    connection.run(_IMPORTING, pk=pk, client_token=client_token)
    return len(connection.run(_RUNNING, pk=pk, client_token=client_token, import_id=import_id, status=status))


_AS_IT_WAITED = """
    datastore_id = :datastore_id, task_token = NULL, import_id = NULL, import_status = NULL,
    client_token = NULL,
    job_name = NULL, results_prefix = NULL, granted_at = NULL, start_at = NULL, delivered_at = NULL,
    starting_at = NULL, running_at = NULL, import_over_at = NULL, outcome = NULL, message = NULL
"""

_MOVE = f"""
UPDATE ahlijob SET state = 'WAITING', {_AS_IT_WAITED}
WHERE pk = :pk AND state IN ('GRANTED', 'STARTING')
"""

_NEXT_ATTEMPT = f"""
UPDATE ahlijob SET state = 'WAITING', {_AS_IT_WAITED}, attempt = attempt + 1,
    earlier_imports = earlier_imports || jsonb_build_object('attempt', attempt, 'import_id', import_id,
        'status', CAST(:status AS text), 'message', CAST(:message AS text),
        'excused', CAST(:excused AS boolean), 'at', clock_timestamp())
WHERE pk = :pk AND state = 'RUNNING' AND import_id = :import_id
"""


def move(connection: Connection, ticket: Attempt, datastore_id: str) -> None:
    """Its data store was replaced before an import was started: it waits for a slot of the new one.

    It keeps its place. Only the queue knows whether the new one has a slot free, and when a start is due.
    """
    if ticket.bundle is not None:
        bundles.dissolve(connection, ticket.bundle, datastore_id)
        return
    connection.run(_MOVE, pk=ticket.pk, datastore_id=datastore_id)


def next_attempt(
    connection: Connection,
    ticket: Attempt,
    ended: ImportState,
    datastore_id: str,
    only: list[int] | None = None,
) -> bool:
    """Queue for another attempt, in the same place; False where the series has had its one new attempt.

    `only`: these tickets of a bundle.

    An import that failed when the gate is closed does not count: for a day the data store is to blame.
    """
    closed = ended.status == "FAILED" and gate.import_failed(connection, ticket.datastore_id, ended.message)
    excused = closed and ticket.excusable
    if ticket.retried and not excused:
        return False
    if ticket.bundle is not None:
        bundles.dissolve(connection, ticket.bundle, datastore_id, ended, excused=excused, only=only)
        return True
    connection.run(
        _NEXT_ATTEMPT,
        pk=ticket.pk,
        datastore_id=datastore_id,
        import_id=ticket.import_id,
        status=ended.status,
        message=ended.message,
        excused=excused,
    )
    return True


_OVER = """
UPDATE ahlijob SET import_status = :status, outcome = :outcome, message = :message,
    import_over_at = clock_timestamp()
WHERE pk = :pk AND holds_slot
"""


def import_over(connection: Connection, pk: int, status: str, outcome: Outcome, message: str | None) -> None:
    """The import has ended, or none was needed; the slot stays held until it is released."""
    connection.run(_OVER, pk=pk, status=status, outcome=outcome.value, message=message)
