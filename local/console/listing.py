"""The first page: the flow, filters, and the series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from markupsafe import Markup

from dicom_ingest.db.read_index import Index, Row
from dicom_ingest.db.read_places import PLACES, Filter, places, where
from local.console.html import tag
from local.console.page import table
from local.console.words import duration, place, time

VIEWS = {"": "all", "under_way": "under way", "needs_a_person": "need a person"}


def found(index: Index, query: Mapping[str, str]) -> list[Row]:
    """The rows that a query asks for: by a search term, or by filters."""
    term = query.get("q", "").strip()
    return where(index, term) if term else places(index, chosen(query))


def chosen(query: Mapping[str, str]) -> Filter:
    """The filter of a query; a day that is none restricts nothing."""
    view = query.get("view", "")
    return Filter(
        place=query["place"] if query.get("place") in PLACES else None,
        edge=query.get("edge") or None,
        ae=query.get("ae") or None,
        modality=query.get("modality") or None,
        day=_day(query.get("day", "")),
        under_way=view == "under_way",
        needs_a_person=view == "needs_a_person",
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def form(query: Mapping[str, str]) -> Markup:
    """Search and filters; a plain GET."""
    return tag(
        "form",
        _field("q", "Search", query, type="search", placeholder="accession, patient id, UID, AE", size=27),
        _select("view", "Show", query, VIEWS),
        _select("place", "Place", query, {"": "any", **{name: name for name in PLACES}}),
        _field("modality", "Modality", query, size=6),
        _field("ae", "AE title", query, size=12),
        _field("day", "Received (UTC)", query, type="date"),
        tag("button", "Apply", type="submit"),
        tag("a", "Reset", href="/", class_="reset"),
        class_="filters",
        role="search",
        action="/",
    )


def _field(name: str, label: str, query: Mapping[str, str], **attributes: Any) -> Markup:
    field = tag("input", name=name, id=f"f-{name}", value=query.get(name, ""), **attributes)
    return tag("div", tag("label", label, for_=f"f-{name}"), field)


def _select(name: str, label: str, query: Mapping[str, str], options: Mapping[str, str]) -> Markup:
    listed = [
        tag("option", shown, value=value, selected=query.get(name, "") == value)
        for value, shown in options.items()
    ]
    return tag("div", tag("label", label, for_=f"f-{name}"), tag("select", listed, name=name, id=f"f-{name}"))


def listing(rows: list[Row], query: Mapping[str, str]) -> Markup:
    """The table of series transfers."""
    searched = query.get("q", "").strip()
    nothing = (
        f"The index does not know {searched}. It may still be at an edge, see Edges."
        if searched
        else "Nothing here. Send something, or reset the filters."
    )
    columns: dict[str, Any] = {
        "Place": lambda row: place(row["place"]),
        "Series": _series,
        "Instances": "instances",
        "Patient": lambda row: _code(row["patient_id"]),
        "Accession": lambda row: _code(row["accession_number"]),
        "Study": "study_description",
        "From": "calling_ae",
        "Received": lambda row: time(row["first_received_at"]),
        "Took": _took,
    }
    if searched:
        columns = {"Found as": "matched", **columns}
    return table(f"Series ({len(rows)})", rows, columns, nothing)


def _series(row: Row) -> Markup:
    name = row["series_description"] or row["series_instance_uid"]
    return tag(
        "a",
        tag("b", row["modality"] or "?"),
        f" {name}",
        href=address(row),
        title=row["series_instance_uid"],
    )


def _code(text: str | None) -> Markup | None:
    return tag("span", text, class_="code") if text else None


def address(row: Row) -> str:
    """The page of a series transfer."""
    return f"/series/{row['transfer_id']}/{row['series_instance_uid']}"


def _took(row: Row) -> str:
    over = row["over_at"]
    return duration((over - row["first_received_at"]).total_seconds()) if over else "…"
