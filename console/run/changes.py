"""Changes that need no question: what is undone with one more press, or changes nothing that is imported."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.exceptions import BadRequest, Conflict

from console.run.sources import Sources
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.server.connection import Connection

FIRST = -1
"""The priority of a raised ticket: before live (0) and bulk (1)."""
WORDS = "change: pause, resume, raise, move and move-all are allowed"
DIGITS = 9
"""A number of no more fits into an integer of PostgreSQL."""
NOT_WAITING = "The ticket is not waiting any more. Slots shows what became of it."


def change(sources: Sources, form: Mapping[str, str]) -> None:
    """Do what a form of the slots says, then run the grant step.

    Raises:
        BadRequest: it says nothing that is known.
        Conflict: the ticket is not waiting any more.
    """
    if not sources.write(lambda connection, who: _change(connection, form, who)):
        raise Conflict(NOT_WAITING)
    sources.source.grant()


def _change(connection: Connection, form: Mapping[str, str], who: str) -> bool:
    """Whether there was something to change."""
    datastore, ticket = form.get("datastore", ""), number(form, "ticket")
    match form.get("change"):
        case "pause" | "resume" as word:
            queue.set_paused(connection, datastore, word == "pause", who)
            return True
        case "raise" if ticket is not None:
            return queue.set_priority(connection, ticket, FIRST, who)
        case "move" if ticket is not None:
            return bool(queue.move(connection, ticket, who))
        case "move-all":
            return bool(queue.move(connection, None, who))
    raise BadRequest(WORDS)


def number(form: Mapping[str, str], name: str) -> int | None:
    """From 0 to what a column of the index holds; None where there is none."""
    text = form.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= DIGITS else None


def back(form: Mapping[str, str]) -> str:
    """Where to go afterwards: a page of this console."""
    page = form.get("back", "")
    return page if page.startswith("/series/") else "/slots"
