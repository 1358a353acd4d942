"""The pages of the operator: slots, edges, ledger."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from dicom_ingest.db.read_edges import edges, senders
from dicom_ingest.db.read_index import Index, Row
from dicom_ingest.db.read_ledger import differences, sums
from dicom_ingest.db.read_slots import semaphores, tickets
from dicom_ingest.db.read_steps import PRIORITY_WORDS
from local.console.html import tag
from local.console.listing import address
from local.console.page import table
from local.console.words import duration, place, size, time


def slots(index: Index) -> list[Markup]:
    """The semaphore with what changes it, holders and queue."""
    stores = semaphores(index)
    return [tag("h1", "Import slots"), *(_store(row) for row in stores), _tickets(tickets(index))]


def _store(row: Row) -> Markup:
    shut = "paused" if row["paused"] else "gate closed" if row["gate"] == "CLOSED" else None
    return tag(
        "section",
        tag(
            "p",
            tag("b", f"{row['held']} of {row['capacity']} slots in use, {row['waiting']} series wait. "),
            tag("span", shut, class_="place person") if shut else tag("span", "open", class_="place done"),
            f" {row['gate_reason']}" if row["gate_reason"] else None,
            f" Starts are paced at {row['start_rate']:g} a second, {row['start_burst']} at once.",
        ),
        tag(
            "form",
            tag("input", type="hidden", name="datastore", value=row["datastore_id"]),
            tag(
                "button",
                "Resume granting" if row["paused"] else "Pause granting",
                type="submit",
                name="change",
                value="resume" if row["paused"] else "pause",
            ),
            tag("label", "Slots", for_="capacity"),
            tag("input", type="number", name="capacity", id="capacity", min=0, value=row["capacity"]),
            tag("button", "Set", type="submit", name="change", value="capacity"),
            method="post",
            action="/slots",
            class_="inline",
        ),
        class_="card",
    )


def _tickets(rows: list[Row]) -> Markup:
    columns: dict[str, Any] = {
        "Ticket": "ticket_id",
        "State": lambda row: tag("span", row["state"], class_="place moving"),
        "Priority": lambda row: PRIORITY_WORDS.get(row["priority"], str(row["priority"])),
        "Series": lambda row: tag(
            "a",
            f"{row['modality'] or '?'} {row['series_instance_uid']}",
            href=address(row),
        ),
        "From": "calling_ae",
        "Queued": lambda row: time(row["created_at"]),
        "Granted": lambda row: time(row["granted_at"]),
        "Import": "import_id",
    }
    return table(f"Tickets ({len(rows)})", rows, columns, "No series waits or is being imported.")


def the_edges(index: Index, said: Row | None) -> list[Markup]:
    """What the edge says, what the index has, and whom it heard."""
    words = [said] if said else []
    return [
        tag("h1", "Edges"),
        table(
            "As the edge says",
            words,
            {
                "Edge": "edge",
                "Version": "version",
                "Received": "instances_received",
                "Duplicates": "instances_duplicate",
                "Refused": "instances_refused",
                "Uploaded": "instances_uploaded",
                "Series announced": "series_announced",
                "In the spool": "spool_instances",
                "Open associations": "open_associations",
                "Disk free": lambda row: size(row["disk_free_bytes"]),
                "Watermark": "watermark",
            },
            "The edge does not answer.",
        ),
        table(
            "As the index says",
            edges(index),
            {
                "Edge": "edge",
                "Transfers": "transfers",
                "Series": "series",
                "Instances": "instances",
                "Size": lambda row: size(row["bytes"]),
                "Under way": "under_way",
                "Failed": "failed",
                "Last received": lambda row: time(row["last_received_at"]),
            },
            "Nothing was announced yet.",
        ),
        table(
            "Senders",
            senders(index),
            {
                "AE title": "calling_ae",
                "Series": "series",
                "Last heard": lambda row: time(row["last_received_at"]),
                "Quiet for": lambda row: duration(row["quiet_seconds"]),
                "Rhythm": lambda row: _rhythm(row),
            },
            "Nobody has sent anything yet.",
        ),
    ]


def _rhythm(row: Row) -> Markup:
    usual = row["usual_pause_seconds"]
    if row["silent"]:
        return tag("span", f"silent: pauses are usually below {duration(usual)}", class_="place person")
    return tag("span", f"usual pause {duration(usual)}" if usual is not None else "", class_="quiet")


def the_ledger(index: Index) -> list[Markup]:
    """Sums per edge and day, and every difference with its reason."""
    found = differences(index)
    counted = ("announced", "in_s3", "indexed", "imported", "failed", "missing", "pending", "differences")
    return [
        tag("h1", "Ledger"),
        tag("p", "Announced = in S3 = indexed = imported + explained, for every series transfer."),
        table(
            "Sums",
            sums(index),
            {"Day": "day", "Edge": "edge", "Series": "series"}
            | {name.replace("_", " ").capitalize().replace("s3", "S3"): name for name in counted},
            "Nothing was announced yet.",
        ),
        table(
            f"Differences ({len(found)})",
            found,
            {
                "Reason": lambda row: place(row["outcome"]) + " " + row["reason"],
                "Series": lambda row: tag("a", row["series_instance_uid"], href=address(row)),
                "Announced": "announced",
                "In S3": "in_s3",
                "Indexed": "indexed",
                "Imported": "imported",
                "Words": "detail",
            },
            "Everything balances.",
        ),
    ]
