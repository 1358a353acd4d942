"""The page of one series transfer: pictures, timeline, workflow, instances."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import definitions, table
from console.markup.words import address, duration, place, size, study_address, time
from console.pages.tickets import ticket_form
from console.workflow.drawing import draw
from console.workflow.executions import Execution
from console.workflow.graph import Graph
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import NEED_ATTENTION
from dicom_ingest.operators.read.series.steps import Step
from dicom_ingest.operators.read.series.timeline import Timeline
from dicom_ingest.operators.read.state.attention import counted


def heading(found: Timeline) -> Markup:
    """What it is, in the words of a radiographer."""
    transfer = found.series_transfer
    name = transfer["series_description"] or "Series"
    return tag(
        "div",
        tag(
            "p",
            tag("a", "Series", href="/"),
            " / ",
            tag(
                "a",
                transfer["study_description"] or "Study",
                href=study_address(transfer["study_instance_uid"]),
            ),
            class_="crumbs",
        ),
        tag("h1", f"{transfer['modality'] or '?'} {name}"),
        class_="heading",
    )


def facts(found: Timeline, imported: Markup | None, viewer_url: str | None = None) -> Markup:
    """Identifiers, to copy, and the way to a viewer."""
    row = found.series_transfer
    return tag(
        "section",
        tag("h2", "Details"),
        definitions(
            {
                "Patient": row["patient_id"],
                "Accession": row["accession_number"],
                "Study": uid(row["study_instance_uid"]),
                "Series": uid(row["series_instance_uid"]),
                "Transfer": uid(row["transfer_id"]),
                "Sender": f"{row['calling_ae']} → {row['called_ae']} at {row['edge']}",
                "Size": f"{counted(row['instance_count'], 'instance')}, {size(row['total_bytes'])}",
                "Import": imported,
                "Image sets": _image_sets(found),
                "Prefix": uid(row["prefix"]),
                "Manifest": uid(row["manifest_key"]),
                "Correlation": uid(row["correlation_id"]),
                "Execution": uid(row["owner_execution"] or ""),
                "Later executions": _later(found),
                "Viewer": _viewer(row, viewer_url),
                "Worth knowing": "; ".join(row["findings"]),
            }
        ),
        class_="card",
    )


def _viewer(row: Row, url: str | None) -> Markup | None:
    return ohif(url, row["study_instance_uid"], row["series_instance_uid"])


def ohif(url: str | None, study: str, series: str | None = None) -> Markup | None:
    """The full viewer at a study or at a series of it: it shows the primary image sets of a study."""
    if url is None:
        return None
    at = f"{url}/viewer?StudyInstanceUIDs={study}" + (f"&initialSeriesInstanceUID={series}" if series else "")
    return tag("a", "Open in OHIF", href=at, target="_blank", rel="noopener")


def uid(text: str) -> Markup | None:
    """In letters of one width, to copy."""
    return tag("code", text) if text else None


def _later(found: Timeline) -> Markup | None:
    shown = [
        tag(
            "li",
            time(row["started_at"]),
            f" {row['replay_name'] or 'again'}: {row['outcome'] or 'under way'}",
        )
        for row in found.later_executions
    ]
    return tag("ul", shown) if shown else None


def _image_sets(found: Timeline) -> Markup | None:
    shown = [
        tag("li", tag("code", row["image_set_id"]), f" version {row['version']}{primary(row)}")
        for row in found.image_sets
    ]
    return tag("ul", shown) if shown else None


def primary(row: Row) -> str:
    """Whether the image set is the one shown for the series."""
    return ", primary" if row["is_primary"] else ", not primary" if row["is_primary"] is False else ""


def live(found: Timeline, graph: Graph, execution: Execution | None) -> dict[str, Markup]:
    """What changes while it is under way, by id; `data-over` tells the page to stop asking."""
    over = found.series_transfer["state"] == "OVER"
    return {
        "live": tag(
            "div",
            _now(found),
            id="live",
            data_live=f"{address(found.series_transfer)}/live",
            data_over="yes" if over else "no",
        ),
        "steps": tag(
            "section",
            tag("h2", "Timeline"),
            timeline(found),
            class_="card",
            id="steps",
            data_live=True,
        ),
        "workflow": tag(
            "section",
            tag("h2", "Workflow"),
            tag("p", execution.error, class_="trouble") if execution and execution.error else None,
            draw(graph, execution),
            _visits(execution),
            class_="card",
            id="workflow",
            data_live=True,
        ),
    }


def _visits(execution: Execution | None) -> Markup | None:
    """Each stay in a state: when it began and ended, and what had to be tried again."""
    if execution is None or not execution.visits:
        return None
    rows: list[dict[str, Any]] = [vars(visit) for visit in execution.visits]
    columns: dict[str, Any] = {
        "State": "state",
        "Entered": lambda row: time(row["entered"]),
        "Left": lambda row: time(row["left"]) or "",
        "Took": lambda row: duration((row["left"] - row["entered"]).total_seconds()) if row["left"] else "",
        "Tried again after": lambda row: ", ".join(row["troubles"]),
    }
    return tag(
        "details",
        tag("summary", counted(len(rows), "state")),
        table("States of the execution", rows, columns, ""),
        id="visits",
    )


def _now(found: Timeline) -> Markup:
    transfer, waits = found.series_transfer, found.waits_for
    said = transfer["outcome"] if transfer["state"] == "OVER" else None
    detail = transfer["outcome_detail"] if said else None
    return tag(
        "div",
        place(said) if transfer["state"] == "OVER" else tag("span", "under way", class_="place moving"),
        tag("span", " Waits for ", waits.words, ".") if waits else None,
        tag("span", " Expected to end about ", time(waits.expected_over_at), ".")
        if waits and waits.expected_over_at
        else None,
        f" {detail}" if detail else None,
        tag("b", " Acknowledged.") if transfer["acknowledged"] else None,
        _ticket(found),
        class_="now",
        role="status",
    )


def _ticket(found: Timeline) -> Markup | None:
    """What can be done with the ticket while it waits."""
    waiting = [ticket for ticket in found.tickets if ticket["state"] == "WAITING"]
    stranded = found.waits_for is not None and found.waits_for.stranded
    page = address(found.series_transfer)
    return ticket_form(waiting[-1]["ticket_id"], stranded=stranded, back=page) if waiting else None


def timeline(found: Timeline) -> Markup:
    """Each step with its time and how long after the one before."""
    return listed(found.steps)


def listed(steps: list[Step]) -> Markup:
    """Steps, each with its time and how long after the one before."""
    entries, before = [], None
    for step in steps:
        entries.append(_step(step, before))
        before = step.at or before
    return tag("ol", entries, class_="timeline")


def _step(step: Step, before: Any) -> Markup:
    after = (step.at - before).total_seconds() if step.at and before else None
    return tag(
        "li",
        tag("span", step.name, class_="name"),
        tag("span", time(step.at) or "to come", class_="at"),
        tag("span", f"+{duration(max(0.0, after))}" if after is not None else "", class_="after"),
        tag("span", step.words, class_="words"),
        class_=None if step.at else "to-come",
    )


def event(execution: Execution | None) -> Markup | None:
    """The event that the execution was started with, folded away."""
    if execution is None or not execution.event:
        return None
    shown = json.dumps(json.loads(execution.event), indent=2)
    return tag(
        "details", tag("summary", "The event"), tag("pre", tag("code", shown), tabindex=0), class_="card"
    )


def actions(found: Timeline) -> Markup:
    """To send it through the workflow again; to acknowledge how it ended."""
    row = found.series_transfer
    asks = f"/confirm?transfer={row['transfer_id']}&series={row['series_instance_uid']}&change="
    return tag(
        "section",
        tag("h2", "Actions"),
        tag(
            "form",
            tag("button", "Reprocess", type="submit", class_="strong"),
            tag("a", "Import again…", href=f"{asks}import-again", class_="ask"),
            _acknowledge(row, asks),
            method="post",
            action=f"{address(row)}/reprocess",
            class_="inline",
        ),
        tag(
            "p",
            "Reprocess runs the workflow again and imports nothing twice. "
            "Import again makes a new version of the image set.",
        ),
        tag(
            "p",
            "In a terminal: ",
            tag("code", f".venv/bin/python -m ops where {row['series_instance_uid']}"),
            ", or ",
            tag("code", "reprocess"),
            class_="quiet",
        ),
        class_="card",
    )


def _acknowledge(row: Row, asks: str) -> Markup | None:
    if row["state"] != "OVER" or row["outcome"] not in NEED_ATTENTION:
        return None
    if row["acknowledged"]:
        return tag("a", "Undo the acknowledgement…", href=f"{asks}unacknowledge", class_="ask")
    return tag("a", "Acknowledge…", href=f"{asks}acknowledge", class_="ask")
