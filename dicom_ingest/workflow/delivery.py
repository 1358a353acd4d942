"""Telling executions that their ticket was granted or cancelled: after the commit, again until they know."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.messages.steps import Slot
from dicom_ingest.db.semaphore import granting, releasing
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.operator import Untold
from dicom_ingest.db.server.connection import Database
from dicom_ingest.runtime.step import logger
from dicom_ingest.workflow import executions

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

CANCELLED = "TicketCancelled"
"""The error with which the execution of a cancelled ticket goes on; its series ends FAILED."""


DELIVERY_SECONDS = 20
"""So long a step delivers; the rest is granted and undelivered, which reclaim_import_slots sees to."""
WAKING_SECONDS = 75
"""So long the leader of a bundle wakes the others: 2,000 share an import of single images."""


def deliver(
    database: Database,
    client: SFNClient,
    datastore_id: str,
    granted: Sequence[Ticket],
    seconds: float = DELIVERY_SECONDS,
) -> list[Ticket]:
    """Answer the token of every granted ticket; all that were, the replacements of dead ones included.

    Of a bundle only the leader is told at first, and all others when their import is over.

    A refused token proves nothing: only an execution that is over loses its ticket, and the slot
    goes to the next in line. One that still runs was answered before, or comes back with a new token.
    """
    deadline = time.monotonic() + seconds
    delivered: list[Ticket] = []
    while granted and time.monotonic() < deadline:
        freed, again = False, []
        for ticket in granted:
            if time.monotonic() >= deadline:
                break
            with isolated("grant not delivered", ticket):
                if answer(database, client, ticket):
                    delivered.append(ticket)
                elif ticket.task_token and not executions.is_running(client, ticket.owner_execution):
                    with database.transaction() as connection:
                        refused = releasing.refused(connection, ticket)
                    freed = freed or refused.freed
                    again += [refused.leader] if refused.leader else []
        granted = again
        if freed:
            granted = again + database.do(partial(granting.grant, datastore_id=datastore_id))
    return delivered


def answer(database: Database, client: SFNClient, ticket: Ticket) -> bool:
    """Answer the token of an execution whose ticket holds a slot; False where none was taken."""
    if ticket.task_token is None or ticket.start_at is None:
        return False
    slot = Slot(ticket_id=ticket.pk, attempt=ticket.attempt, start_at=ticket.start_at)
    if not executions.send_success(client, ticket.task_token, slot.model_dump_json()):
        return False
    with database.transaction() as connection:
        releasing.mark_delivered(connection, ticket)
    return True


@contextmanager
def isolated(words: str, ticket: Ticket | Untold) -> Iterator[None]:
    """What goes wrong with one execution stops no other; reclaim_import_slots tries again."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        logger.warning(words, ticket_id=ticket.pk, error=f"{type(error).__name__}: {error}")


def tell_cancelled(database: Database, client: SFNClient, seconds: float = DELIVERY_SECONDS) -> int:
    """Fail the wait of every execution whose ticket an operator has cancelled; how many were told.

    A refused token is dropped: its execution is over, or comes back with a new one and queues again.
    """
    deadline = time.monotonic() + seconds
    with database.transaction() as connection:
        tickets = queue.untold(connection)
    told = 0
    for ticket in tickets:
        if time.monotonic() >= deadline:
            break
        with isolated("cancellation not told", ticket):
            told += executions.send_failure(client, ticket.task_token, CANCELLED, ticket.message)
            with database.transaction() as connection:
                queue.told(connection, ticket)
    return told
