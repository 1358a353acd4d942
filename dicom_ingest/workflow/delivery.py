"""Telling executions that their ticket was granted or cancelled: after the commit, again until they know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicom_ingest.contracts.steps import Slot
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore import tickets as import_slots
from dicom_ingest.db.semaphore.tickets import Ticket
from dicom_ingest.db.server.connection import Database
from dicom_ingest.workflow import executions

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

CANCELLED = "TicketCancelled"
"""The error with which the execution of a cancelled ticket goes on; its series ends FAILED."""


def answer_at_once(database: Database, client: SFNClient, ticket: Ticket) -> None:
    """Answer the token of an execution that comes back for a slot it holds; refused, it came back again."""
    if ticket.task_token and ticket.start_at:
        slot = Slot(ticket_id=ticket.pk, attempt=ticket.attempt, start_at=ticket.start_at)
        if executions.send_success(client, ticket.task_token, slot.model_dump_json()):
            with database.transaction() as connection:
                import_slots.mark_delivered(connection, ticket)


def deliver(
    database: Database, client: SFNClient, datastore_id: str, granted: Sequence[Ticket]
) -> list[Ticket]:
    """Answer the token of every granted ticket; all that were granted, the replacements included.

    A refused token proves nothing: only an execution that is over loses its ticket, and the slot
    goes to the next in line. One that still runs was answered before, or comes back with a new token.
    """
    delivered: list[Ticket] = []
    waiting = list(granted)
    while waiting:
        ticket = waiting.pop(0)
        if ticket.task_token is None or ticket.start_at is None:
            continue
        slot = Slot(ticket_id=ticket.pk, attempt=ticket.attempt, start_at=ticket.start_at)
        if executions.send_success(client, ticket.task_token, slot.model_dump_json()):
            with database.transaction() as connection:
                import_slots.mark_delivered(connection, ticket)
            delivered.append(ticket)
        elif not executions.is_running(client, ticket.owner_execution):
            with database.transaction() as connection:
                if import_slots.cancel_refused(connection, ticket):
                    waiting += import_slots.grant(connection, datastore_id)
    return delivered


def tell_cancelled(database: Database, client: SFNClient) -> int:
    """Fail the wait of every execution whose ticket an operator has cancelled; how many were told.

    A refused token is dropped: its execution is over, or comes back with a new one and queues anew.
    """
    with database.transaction() as connection:
        tickets = queue.untold(connection)
    told = 0
    for ticket in tickets:
        told += executions.send_failure(client, ticket.task_token, CANCELLED, ticket.message)
        with database.transaction() as connection:
            queue.told(connection, ticket)
    return told
