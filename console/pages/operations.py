"""The pages of the operator: slots, edges, ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.lists import pages, part
from console.markup.page import definitions, table
from console.markup.words import address, place, size, time
from console.pages.tickets import ticket_form
from console.run.query import PAGE, beyond, page_of
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.ledger import differences, sums
from dicom_ingest.operators.read.series.steps import PRIORITY_WORDS
from dicom_ingest.operators.read.state.attention import counted
from dicom_ingest.operators.read.state.edges import HOURS, RECENT_DAYS, edges, senders
from dicom_ingest.operators.read.state.line import bulk_senders, forecast, uplink
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
    """Its job; of a bundle the leader says how many series share it, and each other whose import it is."""
    job = tag("code", row["import_id"]) if row["import_id"] else ""
    if not row["shared_by"]:
        return job
    shared = f" shared by {row['shared_by']} series" if row["leads"] else f" of ticket {row['leader']}"
    return tag("span", job, shared)


def the_edges(index: Index, *edges_say: Row | None) -> list[Markup]:
    """What the edges say, what the index has, and whom it heard. None: an edge does not answer."""
    said = [edge for edge in edges_say if edge is not None and "trouble" not in edge]
    silent = [
        (edge or {}).get("trouble", "The edge does not answer.") for edge in edges_say if edge not in said
    ]
    return [
        tag("h1", "Edges"),
        tag(
            "div",
            [tag("p", words, class_="card trouble") for words in silent],
            [_said(edge) for edge in said],
            table(
                f"Senders of the last {RECENT_DAYS} days",
                senders(index),
                {
                    "AE title": "calling_ae",
                    "Edge": "edge",
                    "Series": "series",
                    "Last heard": lambda row: time(row["last_received_at"]),
                    "Rhythm": lambda row: _silence(row, said),
                },
                "No sender has sent anything yet.",
            ),
            table(
                f"From the index: received in the last {HOURS} hours",
                edges(index),
                {
                    "Edge": "edge",
                    "Transfers": "transfers",
                    "Series": "series",
                    "Instances": "instances",
                    "Size": lambda row: size(row["bytes"]),
                    "Under way": "under_way",
                    "Failed": "failed",
                    "Aborted associations": "aborted",
                    "Last received": lambda row: time(row["last_received_at"]),
                    "Last announced": lambda row: time(row["last_announced_at"]),
                },
                "Nothing was announced yet.",
            ),
            id="edges",
            data_live="/edges",
        ),
    ]


def _said(said: Row) -> Markup:
    """An edge's status or heartbeat, in the order in which people ask."""
    return tag(
        "section",
        tag("h2", said["edge"]),
        _problems(said.get("problems", [])),
        definitions(
            {
                "Said at": _moment(said.get("heartbeat_at")),
                "Version": f"{said['version']}, since {_moment(said['started_at'])}",
                "Associations": _counts(said, open_associations="open"),
                "Received": _counts(
                    said,
                    instances_received="instances",
                    instances_duplicate="duplicates",
                    instances_refused="refused",
                    quarantined="in quarantine",
                    instances_quarantined="in quarantine",
                ),
                "Uploaded": _counts(
                    said,
                    instances_uploaded="instances",
                    upload_retries="retries",
                    aside="set aside",
                    instances_aside="set aside",
                ),
                "Announced": _counts(said, series_announced="series", series_open="open"),
                "In the spool": f"{said['spool_instances']} instances, {size(said['spool_bytes'])}",
                "Oldest unsent": _moment(said.get("oldest_unsent_at")) or "none",
                "Disk free": _disk(said),
                "Uplink": uplink(said),
                "Forecast": forecast(said),
                "Bulk senders": bulk_senders(said),
                "Certificate until": said.get("certificate_expires_at"),
                "Silent": ", ".join(said.get("silent_aes", [])),
                "Last association": _last_associations(said.get("senders", {})),
            }
        ),
        class_="card",
    )


def _counts(said: Row, **words: str) -> str:
    """Each count that the edge says, with its word."""
    return ", ".join(f"{said[name]} {word}" for name, word in words.items() if said.get(name) is not None)


def _disk(said: Row) -> str:
    return f"{size(said['disk_free_bytes'])} of {size(said['disk_total_bytes'])}, {said['watermark']}"


def _moment(text: str | None) -> str | None:
    return text[:19].replace("T", " ") if text else None


def _problems(found: list[Row]) -> Markup | None:
    """What is wrong, since when, and the line of the runbook."""
    if not found:
        return None
    lines = [
        tag("li", tag("b", f"{problem['level']}: "), f"{problem['reason']} ", tag("code", problem["see"]))
        for problem in found
    ]
    return tag("ul", lines, class_="trouble")


def _silence(sender: Row, said: list[Row]) -> Markup | None:
    """The edge judges whom it heard by the same hours of the weeks before."""
    for edge in said:
        if sender["edge"] == edge["edge"] and sender["calling_ae"] in edge.get("silent_aes", []):
            return tag("span", "silent, unlike in the weeks before", class_="place person")
    return None


def _last_associations(said: dict[str, str] | list[Row]) -> Markup | None:
    """By AE title; a heartbeat lists them."""
    known = (
        {each["calling_ae"]: each["last_association_at"] for each in said} if isinstance(said, list) else said
    )
    shown = [tag("li", tag("b", ae), f" {_moment(at)}") for ae, at in sorted(known.items())]
    return tag("ul", shown) if shown else None


def the_ledger(index: Index) -> list[Markup]:
    """Sums per edge and day, and every difference with its reason."""
    found, summed = differences(index), sums(index)
    whole = sum(row["differences"] for row in summed)
    counted = ("announced", "in_s3", "indexed", "imported", "failed", "missing", "pending", "differences")
    return [
        tag("h1", "Ledger"),
        tag("p", "Announced = in S3 = indexed = imported + explained, for every series transfer."),
        table(
            "Sums",
            summed,
            {"Day": "day", "Edge": "edge", "Series": "series"}
            | {name.replace("_", " ").capitalize().replace("s3", "S3"): name for name in counted},
            "Nothing was announced yet.",
        ),
        table(
            f"Differences ({part(1, len(found), whole)})",
            found,
            {
                "Reason": lambda row: place(row["outcome"]) + " " + row["reason"],
                "Series": lambda row: tag("a", row["series_instance_uid"], href=address(row)),
                "Patient": "patient_id",
                "Accession": "accession_number",
                "Announced": "announced",
                "In S3": "in_s3",
                "Indexed": "indexed",
                "Imported": "imported",
                "Details": "detail",
            },
            "Everything balances.",
        ),
    ]
