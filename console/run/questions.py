"""Changes that ask once: what exactly would be changed, and the change itself.

The token of a question is made of everything that the person was shown: if that has changed since, the change
is refused and asked again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import BadRequest, Conflict, NotFound

from console.markup.words import address
from console.run.changes import NOT_WAITING, number
from console.run.sources import Sources
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.series.actions import acknowledge
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.index import Index, Row, first
from dicom_ingest.operators.read.series.places import NEED_ATTENTION, Filter, places
from dicom_ingest.operators.read.state.slots import semaphores, ticket

QUOTA = 100
"""Imports that HealthImaging runs at a time in one data store, unless AWS has raised it for the account:
https://docs.aws.amazon.com/healthimaging/latest/devguide/endpoints-quotas.html
"""
ALLOWED = "change: cancel, capacity, import-again, acknowledge and unacknowledge are allowed"


@dataclass(frozen=True)
class Question:
    """A change as a person is asked for it. `fields`: what the form sends back."""

    title: str
    facts: Mapping[str, Any]
    consequence: str
    button: str
    fields: Mapping[str, str]
    back: str
    row: Row
    needs_reason: bool = False

    @property
    def token(self) -> str:
        """Differs as soon as anything differs that the person was shown."""
        seen = json.dumps([self.title, self.facts, self.consequence, self.fields], default=str)
        return hashlib.sha256(seen.encode()).hexdigest()


def question(index: Index, query: Mapping[str, str]) -> Question:
    """The question that an address asks.

    Raises:
        BadRequest, NotFound, Conflict: there is no such change, nothing to change, or not any more.
    """
    match query.get("change"):
        case "cancel":
            return _cancel(index, query)
        case "capacity":
            return _capacity(index, query)
        case "import-again" | "acknowledge" | "unacknowledge" as change:
            return _of_series(index, query, change)
    raise BadRequest(ALLOWED)


def answer(sources: Sources, asked: Question, form: Mapping[str, str]) -> None:
    """Do it, if the person was shown what is true now.

    Raises:
        Conflict: it has changed since; or the ticket is not waiting any more.
        BadRequest: a reason is needed.
    """
    if form.get("token") != asked.token:
        raise Conflict("This has changed since you were asked. Nothing was done. Go back and look again.")
    reason = form.get("reason", "").strip()
    if asked.needs_reason and not reason:
        raise BadRequest("A reason is needed. The timeline shows it.")
    if asked.fields["change"] == "import-again":
        sources.reprocess(asked.row, force=True, reason=reason)
        return
    if not sources.write(lambda connection, who: _do(connection, asked, reason, who)):
        raise Conflict(NOT_WAITING if "ticket" in asked.fields else "The series has changed since.")
    if asked.fields["change"] in ("cancel", "capacity"):
        sources.source.grant()


def _do(connection: Connection, asked: Question, reason: str, who: str) -> bool:
    row, change = asked.row, asked.fields["change"]
    if change == "cancel":
        words = f"cancelled by {who} in the console" + (f": {reason}" if reason else "")
        return bool(queue.cancel(connection, row["ticket_id"], words, who))
    if change == "capacity":
        queue.set_capacity(connection, row["datastore_id"], int(asked.fields["capacity"]), who)
        return True
    return acknowledge(connection, row["pk"], who, reason, undo=change == "unacknowledge")


def _cancel(index: Index, query: Mapping[str, str]) -> Question:
    wanted = number(query, "ticket")
    row = ticket(index, wanted) if wanted is not None else None
    if row is None or row["state"] != "WAITING":
        raise Conflict(NOT_WAITING)
    return Question(
        title=f"Cancel the import of {_named(row)}?",
        facts={
            **_facts(row),
            "Ticket": f"{row['ticket_id']}, waiting since {row['created_at']:%Y-%m-%d %H:%M} UTC",
        },
        consequence="The series leaves the queue and ends FAILED. Its files stay in S3. "
        "Reprocess on its page imports it later.",
        button="Cancel this import",
        fields={"change": "cancel", "ticket": str(wanted)},
        back=address(row) if query.get("back") else "/slots",
        row=row,
    )


def _capacity(index: Index, query: Mapping[str, str]) -> Question:
    row = first([store for store in semaphores(index) if store["datastore_id"] == query.get("datastore")])
    capacity = number(query, "capacity")
    if row is None or capacity is None:
        raise BadRequest("capacity: a data store and a number of slots, 0 or more, are allowed")
    above = f" {capacity} is more: HealthImaging rejects what exceeds the quota." if capacity > QUOTA else ""
    none = " With 0 slots nothing is imported." if not capacity else ""
    return Question(
        title=f"Change the slots from {row['capacity']} to {capacity}?",
        facts={
            "Data store": row["datastore_id"],
            "Slots now": row["capacity"],
            "Slots afterwards": capacity,
        },
        consequence="Imports that are running are not stopped. HealthImaging's quota is "
        f"{QUOTA} imports at a time in a data store, unless AWS has raised it for your account.{above}{none}",
        button=f"Set {capacity} slots",
        fields={"change": "capacity", "datastore": row["datastore_id"], "capacity": str(capacity)},
        back="/slots",
        row=row,
    )


def _of_series(index: Index, query: Mapping[str, str], change: str) -> Question:
    transfer, series = query.get("transfer", ""), query.get("series", "")
    row = first(places(index, Filter(transfer=transfer, series=series))) if transfer else None
    if row is None:
        raise NotFound(f"The index has no series {series} of transfer {transfer}.")
    title, consequence, button = {
        "import-again": (
            f"Import {_named(row)} again?",
            "HealthImaging imports all its instances once more and makes a new version of the image set. "
            "Reprocess is enough if something is missing: it imports nothing twice.",
            "Import again",
        ),
        "acknowledge": (
            f"Acknowledge {_named(row)}?",
            "The series leaves the list that needs attention. Nothing else changes, and it can be undone. "
            "If it is reprocessed and fails again, it returns to the list.",
            "Acknowledge",
        ),
        "unacknowledge": (
            f"Put {_named(row)} back on the list that needs attention?",
            "Nothing else changes.",
            "Undo the acknowledgement",
        ),
    }[change]
    if change == "acknowledge" and row["place"] not in NEED_ATTENTION:
        raise Conflict(f"The series is {row['place']}: {', '.join(NEED_ATTENTION)} can be acknowledged.")
    return Question(
        title=title,
        facts={**_facts(row), "Now": row["place"]},
        consequence=consequence,
        button=button,
        fields={"change": change, "transfer": transfer, "series": series},
        back=address(row),
        row=row,
        needs_reason=change == "acknowledge",
    )


def _named(row: Row) -> str:
    return f"{row['modality'] or '?'} {row['series_description'] or row['series_instance_uid']}"


def _facts(row: Row) -> dict[str, Any]:
    return {
        "Study": row["study_description"] or "without a description",
        "Patient": row["patient_id"],
        "Accession": row["accession_number"],
        "Study date": row["study_date"],
        "Series": row["series_instance_uid"],
        "Instances": row["instances"],
        "From": f"{row['calling_ae']} at {row['edge']}",
    }
