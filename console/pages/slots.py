"""The page of the import slots: the semaphore, its holders and its queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.lists import pages, part
from console.markup.page import table
from console.markup.words import address, time
from console.pages.sharing import together
from console.pages.tickets import ticket_form
from console.run.query import PAGE, beyond, page_of
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.steps import PRIORITY_WORDS
from dicom_ingest.operators.read.state.attention import counted
from dicom_ingest.operators.read.state.slots import semaphores, tickets


def slots(index: Index, query: Mapping[str, str]) -> list[Markup]:
    """The semaphore with what changes it, holders and queue."""
    page = page_of(query)
    stores, queued = semaphores(index), tickets(index, PAGE, (page - 1) * PAGE)
    stranded = sum(row["waiting"] for row in stores if row["replaced"])
    whole = sum(store["held"] + store["waiting"] for store in stores)
    return [
        tag("h1", "Import slots"),
        *(_store(row, number) for number, row in enumerate(stores)),
        tag(
            "div",
            _stranded(stranded) if stranded else None,
            [tag("p", f"{words.capitalize()}.", class_="trouble") for words in beyond(page, whole)],
            _tickets(queued, page, whole),
            pages("/slots", {}, page, more=whole > (page - 1) * PAGE + len(queued)),
            tag("p", tag("a", "Cancel all that wait…", href="/bulk?change=cancel", class_="ask")),
            id="tickets",
            data_live=f"/slots?page={page}",
        ),
    ]


def _store(row: Row, number: int) -> Markup:
    shut = "replaced" if row["replaced"] else "paused" if row["paused"] else None
    shut = shut or ("gate closed" if row["gate"] == "CLOSED" else None)
    used = f"{row['held']} of {row['capacity']} slots in use, {counted(row['waiting'], 'series')} waiting. "
    return tag(
        "section",
        tag(
            "p",
            tag("b", used),
            tag("span", shut, class_="place person") if shut else tag("span", "open", class_="place done"),
            f" {row['gate_reason']}." if row["gate_reason"] else None,
            f" {row['kept_for_live']} are kept for live series." if row["kept_for_live"] else None,
            f" Starts are paced at {row['start_rate']:g} a second, {row['start_burst']} at once.",
            tag("span", " Data store ", tag("code", row["datastore_id"]), class_="quiet"),
        ),
        None if row["replaced"] else _store_form(row, number),
        class_="card",
    )


def _store_form(row: Row, number: int) -> Markup:
    paused = row["paused"]
    store = tag("input", type="hidden", name="datastore", value=row["datastore_id"])
    field = f"capacity-{number}"
    return tag(
        "div",
        tag(
            "form",
            store,
            tag(
                "button",
                "Resume granting" if paused else "Pause granting",
                type="submit",
                name="change",
                value="resume" if paused else "pause",
            ),
            method="post",
            action="/slots",
        ),
        tag(
            "form",
            store,
            tag("label", "Slots", for_=field),
            tag("input", type="number", name="capacity", id=field, min=0, value=row["capacity"]),
            tag("button", "Set…", type="submit", name="change", value="capacity"),
            action="/confirm",
            class_="inline",
        ),
        class_="inline",
    )


def _stranded(count: int) -> Markup:
    return tag(
        "form",
        tag(
            "p",
            f"{counted(count, 'ticket')} waiting for a data store that has been replaced. "
            "Without a move they will never get a slot.",
        ),
        tag("button", "Move all to the current data store", type="submit", name="change", value="move-all"),
        method="post",
        action="/slots",
        class_="card trouble",
    )


def _tickets(rows: list[Row], page: int, whole: int) -> Markup:
    columns: dict[str, Any] = {
        "Ticket": "ticket_id",
        "State": lambda row: tag("span", row["state"], class_="place moving"),
        "Priority": lambda row: PRIORITY_WORDS.get(row["priority"], str(row["priority"])),
        "Series": lambda row: tag(
            "a",
            tag("b", row["modality"] or "?"),
            f" {row['series_description'] or row['series_instance_uid']}",
            href=address(row),
            title=row["series_instance_uid"],
        ),
        "Patient": "patient_id",
        "Accession": "accession_number",
        "Study": "study_description",
        "Instances": "instances",
        "From": "calling_ae",
        "Queued": lambda row: time(row["created_at"]),
        "Granted": lambda row: time(row["granted_at"]),
        "Import": _import,
        "Change": lambda row: (
            ticket_form(row["ticket_id"], stranded=row["stranded"]) if row["state"] == "WAITING" else ""
        ),
    }
    count = part((page - 1) * PAGE + 1, len(rows), whole)
    return table(f"Tickets ({count})", rows, columns, "No series is waiting or importing.")


def _import(row: Row) -> Markup | str:
    """Its job, and how many series share it; each but the leader says whose import it is."""
    job = tag("code", row["import_id"]) if row["import_id"] else ""
    if not row["shared_by"]:
        return job
    led = "" if row["leads"] else f", led by ticket {row['leader']}"
    return tag("span", job, " ", together(row["transfer_id"], row["shared_by"]), led)
