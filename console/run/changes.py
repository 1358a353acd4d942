"""The little that the console may change: what its forms send, as the command line's `slots` does."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, Conflict

from console.markup.html import tag
from console.run.sources import Sources
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.server.connection import Connection

FIRST = -1
"""The priority of a raised ticket: before live (0) and bulk (1)."""
REASON = "cancelled by an operator in the console"
WORDS = "change: pause, resume, capacity with 0 slots or more, raise, cancel and move are allowed"


def change(sources: Sources, form: Mapping[str, str]) -> None:
    """Do what a form of the slots says, then let whoever may start now do so.

    Raises:
        BadRequest: it says nothing that is known.
        Conflict: the ticket does not wait any more.
    """
    if not sources.change(lambda connection: _change(connection, form)):
        raise Conflict("The ticket does not wait any more: see Slots for what became of it.")


def _change(connection: Connection, form: Mapping[str, str]) -> bool:
    """Whether there was something to change."""
    datastore, ticket = form.get("datastore", ""), _number(form, "ticket")
    match form.get("change"):
        case "pause" | "resume" as word:
            queue.set_paused(connection, datastore, word == "pause")
            return True
        case "capacity" if (capacity := _number(form, "capacity")) is not None:
            queue.set_capacity(connection, datastore, capacity)
            return True
        case "raise" if ticket is not None:
            return queue.set_priority(connection, ticket, FIRST)
        case "cancel" if ticket is not None:
            return bool(queue.cancel(connection, ticket, REASON))
        case "move" if ticket is not None:
            return bool(queue.move(connection, ticket))
        case "move-all":
            return bool(queue.move(connection, None))
    raise BadRequest(WORDS)


def _number(form: Mapping[str, str], name: str) -> int | None:
    """0 or more; None where there is none."""
    text = form.get(name, "")
    return int(text) if text.isdecimal() else None


def back(form: Mapping[str, str]) -> str:
    """Where to go afterwards: a page of this console."""
    page = form.get("back", "")
    return page if page.startswith("/series/") else "/slots"


def ticket_form(ticket: int, *, stranded: bool, back: str = "") -> Markup:
    """Raise or cancel a waiting ticket; move it where its data store was replaced."""
    changes = {"raise": "Raise", "cancel": "Cancel"}
    if stranded:
        changes = {"move": "Move", "cancel": "Cancel"}
    return tag(
        "form",
        tag("input", type="hidden", name="ticket", value=ticket),
        tag("input", type="hidden", name="back", value=back),
        [
            tag(
                "button",
                words,
                type="submit",
                name="change",
                value=value,
                aria_label=f"{words} ticket {ticket}",
            )
            for value, words in changes.items()
        ],
        method="post",
        action="/slots",
        class_="inline",
    )
