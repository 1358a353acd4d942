"""The page of one study: its series from the first instance on, what is to be done, and what was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import NotFound

from console.markup.html import tag
from console.markup.page import definitions, table
from console.markup.words import address, duration, place, runbook, study_address, time
from console.pages.listing import at_edges
from console.pages.series import listed, ohif, uid
from console.pages.sharing import shares
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series import study as read
from dicom_ingest.operators.read.series.places import NEED_ATTENTION
from dicom_ingest.operators.read.state.attention import counted


@dataclass(frozen=True)
class StudyPage:
    """Its title and what it shows."""

    title: str
    parts: list[Markup]


def study(index: Index, study_uid: str, held: list[Row], viewer_url: str | None) -> StudyPage:
    """From the index and from what edges hold of it.

    Raises:
        NotFound: neither knows it.
    """
    found = read.study(index, study_uid)
    known = [row for row in held if "trouble" not in row]
    if not found.rows and not known:
        silent = "".join(f" Edge {row['edge']} {row['trouble']}." for row in held if "trouble" in row)
        raise NotFound(f"Neither the index nor an edge knows the study {study_uid}.{silent}")
    title = next((row["study_description"] for row in found.rows if row["study_description"]), "Study")
    crumbs = tag("p", tag("a", "Series", href="/"), " / Study", class_="crumbs")
    changing = tag(
        "div",
        _to_do(found.rows, known, study_uid),
        at_edges(held),
        _series(found.rows) if found.rows else None,
        id="study",
        data_live=study_address(study_uid),
    )
    told = tag("section", tag("h2", "Timeline"), listed(found.steps), class_="card") if found.steps else None
    details = _details(study_uid, [*found.rows, *known], viewer_url)
    return StudyPage(
        title, [crumbs, tag("h1", title), changing, tag("div", details, told or "", class_="columns")]
    )


def _details(study_uid: str, rows: list[Row], viewer_url: str | None) -> Markup:
    def each(name: str) -> str:
        return ", ".join(sorted({str(row[name]) for row in rows if row.get(name)}))

    instances = counted(sum(row["instances"] for row in rows), "instance")
    series = counted(len({row["series_instance_uid"] for row in rows}), "series")
    facts = {
        "Patient": each("patient_id"),
        "Accession": each("accession_number"),
        "Date": each("study_date"),
        "Study": uid(study_uid),
        "Contains": f"{series}, {instances}",
        "Sender": each("calling_ae"),
        "Edge": each("edge"),
        "Viewer": ohif(viewer_url, study_uid),
    }
    return tag("section", tag("h2", "Details"), definitions(facts), class_="card")


def _to_do(rows: list[Row], known: list[Row], study_uid: str) -> Markup:
    """What needs attention, with the runbook's page; then what can be done with all."""
    calls = [_call(row) for row in rows if row["place"] in NEED_ATTENTION and not row["acknowledged"]]
    states = Counter(row["place"] or "over" for row in rows) + Counter("at an edge" for _ in known)
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    ways = [
        tag("a", words, href=f"/bulk?change={change}&study={study_uid}", class_="ask")
        for change, words, meant in (
            ("reprocess", "Reprocess all that failed…", bool(calls)),
            ("cancel", "Cancel all that wait…", any(row["place"] == "waiting" for row in rows)),
        )
        if meant
    ]
    done = tag("p", tag("span", "No action needed", class_="place done"), f" {said}.")
    return tag(
        "section",
        tag("h2", "What to do"),
        [tag("ul", calls), tag("p", f"{said}.")] if calls else done,
        tag("p", ways, class_="inline") if ways else None,
        class_="card",
    )


def _call(row: Row) -> Markup:
    name = read.named(row)
    return tag(
        "li",
        tag("a", f"{name} is {row['place']}", href=address(row), class_="trouble"),
        f": {row['detail']} " if row["detail"] else " ",
        tag(
            "a",
            "What to do",
            href=runbook(f"#series-{row['place'].lower()}"),
            aria_label=f"What to do: {name}",
        ),
    )


def _series(rows: list[Row]) -> Markup:
    columns: dict[str, Any] = {
        "Picture": _thumbnail,
        "Place": lambda row: place(row["place"]),
        "Series": lambda row: tag("a", read.named(row), href=address(row), title=row["series_instance_uid"]),
        "Instances": "instances",
        "From": lambda row: f"{row['calling_ae']} at {row['edge']}",
        "Received": lambda row: time(row["first_received_at"]),
        "Sealed": lambda row: time(row["sealed_at"]),
        "Indexed": lambda row: time(row["indexed_at"]),
        "Import": shares,
        "Import began": lambda row: time(row["running_at"]),
        "Ended": lambda row: time(row["over_at"]),
        "Took": _took,
        "Reason": lambda row: row["detail"] or "",
    }
    return table(f"Series ({len(rows)})", rows, columns, "")


def _thumbnail(row: Row) -> Markup:
    source, words = f"{address(row)}/thumbnail?{row['place'] or ''}", f"Middle picture of {read.named(row)}"
    return tag("img", src=source, alt=words, loading="lazy", width=44, height=44, class_="thumbnail")


def _took(row: Row) -> str:
    over = row["over_at"]
    return duration((over - row["first_received_at"]).total_seconds()) if over else ""
