"""The page of one series transfer: pictures, timeline, workflow, instances."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from dicom_ingest.db.read_index import Row
from dicom_ingest.db.read_steps import Step
from dicom_ingest.db.read_timeline import Timeline
from local.console.drawing import draw
from local.console.executions import Execution
from local.console.graph import Graph
from local.console.html import tag
from local.console.listing import address
from local.console.page import definitions, table
from local.console.words import duration, place, size, time, verdict


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
            transfer["study_description"] or "Study",
            class_="crumbs",
        ),
        tag("h1", f"{transfer['modality'] or '?'} {name}"),
        class_="heading",
    )


def facts(found: Timeline) -> Markup:
    """Identifiers, to copy."""
    row = found.series_transfer
    return tag(
        "section",
        tag("h2", "What it is"),
        definitions(
            {
                "Patient": row["patient_id"],
                "Accession": row["accession_number"],
                "Study": _uid(row["study_instance_uid"]),
                "Series": _uid(row["series_instance_uid"]),
                "Transfer": _uid(row["transfer_id"]),
                "Sender": f"{row['calling_ae']} → {row['called_ae']} at {row['edge']}",
                "Size": f"{row['instance_count']} instances, {size(row['total_bytes'])}",
                "Image sets": _image_sets(found),
                "Prefix": _uid(row["prefix"]),
                "Manifest": _uid(row["manifest_key"]),
                "Correlation": _uid(row["correlation_id"]),
                "Execution": _uid(row["owner_execution"] or ""),
                "Worth knowing": "; ".join(row["findings"]),
            }
        ),
        class_="card",
    )


def _uid(text: str) -> Markup | None:
    return tag("code", text) if text else None


def _image_sets(found: Timeline) -> Markup | None:
    shown = [
        tag("li", tag("code", row["image_set_id"]), f" version {row['version']}{_primary(row)}")
        for row in found.image_sets
    ]
    return tag("ul", shown) if shown else None


def _primary(row: Row) -> str:
    return ", primary" if row["is_primary"] else ", not primary" if row["is_primary"] is False else ""


def live(found: Timeline, graph: Graph, execution: Execution | None) -> Markup:
    """What changes while it is under way; `data-over` tells the page to stop asking."""
    over = found.series_transfer["state"] == "OVER"
    return tag(
        "div",
        _now(found),
        tag(
            "div",
            tag("section", tag("h2", "Timeline"), timeline(found), class_="card"),
            tag(
                "section",
                tag("h2", "Workflow"),
                tag("p", execution.error, class_="trouble") if execution and execution.error else None,
                draw(graph, execution),
                class_="card",
            ),
            class_="columns",
        ),
        id="live",
        data_live=f"{address(found.series_transfer)}/live",
        data_over="yes" if over else "no",
    )


def _now(found: Timeline) -> Markup:
    transfer, waits = found.series_transfer, found.waits_for
    said = transfer["outcome"] if transfer["state"] == "OVER" else None
    detail = transfer["outcome_detail"] if said else None
    return tag(
        "p",
        place(said) if transfer["state"] == "OVER" else tag("span", "under way", class_="place moving"),
        tag("span", " Waits for ", waits.words, ".") if waits else None,
        tag("span", " Expected to end about ", time(waits.expected_over_at), ".")
        if waits and waits.expected_over_at
        else None,
        f" {detail}" if detail else None,
        class_="now",
        role="status",
    )


def timeline(found: Timeline) -> Markup:
    """Each step with its time and how long after the one before."""
    entries, before = [], None
    for step in found.steps:
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


def instances(found: Timeline) -> Markup:
    """Every instance with its verdict and HealthImaging's words."""
    counts = ", ".join(f"{count} {name}" for name, count in found.verdicts.items()) or "none indexed yet"
    return table(
        f"Instances: {counts}",
        found.instances,
        {
            "Number": "instance_number",
            "Verdict": lambda row: verdict(row["verdict"]),
            "SOP Instance UID": lambda row: _uid(row["sop_instance_uid"]),
            "Words": "message",
            "Size": lambda row: size(row["bytes"]) if row["bytes"] is not None else "",
            "Received": lambda row: time(row["received_at"]),
            "Imported": lambda row: time(row["imported_at"]),
        },
        "No instance is indexed yet.",
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
    """To send it through the workflow again."""
    where = f"{address(found.series_transfer)}/reprocess"
    return tag(
        "section",
        tag("h2", "Again"),
        tag(
            "form",
            tag("button", "Reprocess", type="submit", name="force", value=""),
            tag("button", "Import again", type="submit", name="force", value="yes", class_="strong"),
            tag(
                "p",
                "Reprocess runs the workflow again and imports nothing twice. "
                "Import again makes a new version of the image set.",
            ),
            method="post",
            action=where,
        ),
        class_="card",
    )
