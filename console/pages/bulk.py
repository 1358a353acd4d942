"""The pages of a change of many series: which ones, asked once; and what became of it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import table
from console.markup.words import address, place, study_address, time
from console.run.bulk import Done, Wanted
from dicom_ingest.operators.bulk import ELIGIBLE, MOST
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.state.attention import counted

FOLLOWS = {
    "reprocess": "The workflow runs again for each of them. What HealthImaging has is not imported twice.",
    "cancel": "Each leaves the queue and ends FAILED. Its files stay in S3, and Reprocess imports it later.",
}


def ask_bulk(asked: Wanted) -> list[Markup]:
    """What would change, what stays, the reason, and the way back."""
    count = counted(len(asked.rows), "series")
    verb = asked.change.capitalize()
    said = [f"{words[:1].upper()}{words[1:]}." for words in asked.unknown] + [_left(asked)] * bool(asked.left)
    if asked.beyond:
        said.append(f"{asked.beyond} more match. One change takes {MOST}; repeat it for the others.")
    return [
        tag("h1", asked.title),
        tag("section", [tag("p", words) for words in said], tag("p", FOLLOWS[asked.change]), class_="card"),
        _form(asked, f"{verb} these {count}" if len(asked.rows) > 1 else f"{verb} this series")
        if asked.rows
        else tag("p", tag("a", "Back to the list", href="/")),
        _table("Would change", asked.rows) if asked.rows else Markup(""),
    ]


def _left(asked: Wanted) -> str:
    stay = "stays as it is" if asked.left == 1 else "stay as they are"
    who = f"A series changes if {ELIGIBLE[asked.change]}."
    return f"{asked.left} more series {stay}. {who}"


def _form(asked: Wanted, button: str) -> Markup:
    return tag(
        "form",
        tag("input", type="hidden", name="change", value=asked.change),
        [tag("input", type="hidden", name="mark", value=mark) for mark in asked.marks],
        tag("label", "Reason", for_="reason"),
        tag("input", name="reason", id="reason", maxlength=500, size=40, required=True),
        tag("button", button, type="submit", class_="strong"),
        tag("a", "Back, change nothing", href="/"),
        method="post",
        action="/bulk",
        class_="inline card",
    )


def bulk_done(done: Done) -> list[Markup]:
    """How many changed, and which did not."""
    moved = f"{counted(done.moved, 'series')} had moved on since the list was shown: nothing was done there."
    return [
        tag("h1", done.title),
        tag("p", moved, class_="card") if done.moved else Markup(""),
        *(tag("p", f"{_name(row)}: {words}", class_="card trouble") for row, words in done.failed),
        _table("Changed", done.rows) if done.rows else Markup(""),
        tag("p", tag("a", "Back to the list", href="/")),
    ]


def _name(row: Row) -> str:
    return f"{row['modality'] or '?'} {row['series_description'] or row['series_instance_uid']}"


def _table(caption: str, rows: list[Row]) -> Markup:
    columns: dict[str, Any] = {
        "Place": lambda row: place(row["place"]),
        "Patient": "patient_id",
        "Accession": "accession_number",
        "Study": lambda row: tag(
            "a", row["study_description"] or "Study", href=study_address(row["study_instance_uid"])
        ),
        "Series": lambda row: tag("a", _name(row), href=address(row)),
        "Instances": "instances",
        "From": "calling_ae",
        "Received": lambda row: time(row["first_received_at"]),
        "Reason": lambda row: row["detail"] or "",
    }
    return table(f"{caption} ({len(rows)})", rows, columns, "")
