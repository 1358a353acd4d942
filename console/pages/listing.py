"""The first page: search and filters, and the series by study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import table, wide
from console.markup.words import address, duration, place, time
from dicom_ingest.operators.read.attention import counted
from dicom_ingest.operators.read.choices import resolved
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.places import COUNTED, PLACES, Filter, places, total, where

VIEWS = {"": "all", "under_way": "under way", "needs_attention": "need attention"}
COLUMNS = ("Picture", "Place", "Series", "Instances", "From", "Edge", "Received", "Took", "Reason")


PAGE = 100
"""Rows of a page."""


@dataclass(frozen=True)
class Found:
    """A page of the rows that a query asks for. `total`: None if they are not counted."""

    rows: list[Row]
    page: int
    total: int | None
    more: bool
    unknown: list[str]
    """A sentence for each filter whose value no series has."""


def found(index: Index, query: Mapping[str, str]) -> Found:
    """The rows that a query asks for: by a search term, by filters, or by both."""
    term, page = query.get("q", "").strip(), max(1, _number(query.get("page", "")))
    wanted, unknown = resolved(index, chosen(query))
    skip = (page - 1) * PAGE
    if term:
        rows = where(index, term, PAGE + 1, wanted, skip)
    else:
        rows = places(index, wanted, PAGE + 1, skip, oldest=query.get("sort") == "oldest")
    whole = None if term else total(index, wanted)
    return Found(rows[:PAGE], page, whole, len(rows) > PAGE, unknown)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else 1


def chosen(query: Mapping[str, str]) -> Filter:
    """The filter of a query; a day that is none restricts nothing."""
    view = query.get("view", "")
    return Filter(
        place=query["place"] if query.get("place") in PLACES else None,
        edge=query.get("edge") or None,
        ae=query.get("ae", "").strip() or None,
        modality=query.get("modality", "").strip() or None,
        day=_day(query.get("day", "")),
        under_way=view == "under_way",
        needs_attention=view == "needs_attention",
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def form(query: Mapping[str, str], edges: list[str]) -> Markup:
    """Search and filters; a plain GET."""
    return tag(
        "form",
        _field(
            "q", "Search", query, type="search", placeholder="accession, patient, UID, AE", size=24,
            accesskey="s",
        ),
        _select("view", "Show", query, VIEWS),
        _select("place", "Place or outcome", query, {"": "any", **{name: name for name in PLACES}}),
        _field("modality", "Modality", query, size=3),
        _field("ae", "AE title", query, size=9),
        _select("edge", "Edge", query, {"": "any", **{name: name for name in edges}}),
        _field("day", "Received (UTC)", query, type="date"),
        _select("sort", "Sort", query, {"": "newest first", "oldest": "oldest first"}),
        tag("button", "Apply", type="submit"),
        tag("a", "Reset", href="/", class_="reset"),
        class_="filters",
        role="search",
        action="/",
    )  # fmt: skip


def filtered(query: Mapping[str, str]) -> bool:
    """Whether something but a search term restricts the rows: an edge knows nothing of outcomes."""
    return any(value for name, value in query.items() if name not in ("q", "sort"))


def at_edges(held: list[dict[str, Any]]) -> Markup | None:
    """The series that edges hold and have not announced: the index does not know them yet."""
    if not held:
        return None
    columns: dict[str, Any] = {
        "State": lambda row: tag("span", row["state"], class_="place moving"),
        "Series": lambda row: tag(
            "span", tag("b", row["modality"] or "?"), f" {row['series_instance_uid']}", class_="code"
        ),
        "Patient": "patient_id",
        "Accession": "accession_number",
        "Instances": lambda row: f"{row['instances']}, {row['instances_uploaded']} in S3",
        "From": "calling_ae",
        "Edge": "edge",
        "Received": lambda row: row["first_received_at"][:19].replace("T", " ").rstrip("Z"),
        "Waits for": "waits_for",
    }
    silent = [row for row in held if "trouble" in row]
    known = [row for row in held if "trouble" not in row]
    return tag(
        "div",
        [tag("p", f"Edge {row['edge']} {row['trouble']}", class_="trouble") for row in silent],
        table(f"At an edge ({len(known)})", known, columns, "") if known else None,
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


def listing(shown: Found, query: Mapping[str, str]) -> Markup:
    """The series transfers, newest first, those of one study that came together under its name."""
    rows = shown.rows
    if not rows:
        words = [tag("p", _nothing(query, shown.unknown), class_="empty")]
        return tag("section", tag("h2", "Series (0)"), words, class_="card")
    caption = f"Series ({_count(shown)})"
    columns = [name for name in COLUMNS if name != "Reason" or any(_words(row) for row in rows)]
    heads = [tag("th", name, scope="col") for name in columns]
    studies = [
        _study(list(group), len(columns)) for _, group in groupby(rows, lambda row: row["study_instance_uid"])
    ]
    return tag(
        "div", wide(caption, tag("thead", tag("tr", heads)), studies, class_="studies"), _pages(shown, query)
    )


def _count(shown: Found) -> str:
    """`7`, `101 to 200 of 326`, `1 to 100 of more than 10,000`."""
    first = (shown.page - 1) * PAGE + 1
    last = first + len(shown.rows) - 1
    if shown.total is None:
        return f"{first} to {last}, there are more" if shown.more else str(last)
    if shown.total == len(shown.rows):
        return str(shown.total)
    whole = f"more than {COUNTED:,}" if shown.total > COUNTED else f"{shown.total:,}"
    return f"{first} to {last} of {whole}"


def _pages(shown: Found, query: Mapping[str, str]) -> Markup | None:
    """Links to the pages before and after."""
    steps = {
        "Previous page": shown.page - 1 if shown.page > 1 else 0,
        "Next page": shown.page + 1 if shown.more else 0,
    }
    links = [
        tag("a", words, href=f"/?{urlencode({**query, 'page': number})}")
        for words, number in steps.items()
        if number
    ]
    return tag("nav", links, aria_label="Pages of the list", class_="pages") if links else None


def _nothing(query: Mapping[str, str], unknown: list[str]) -> str:
    if unknown:
        sentences = ". ".join(words[:1].upper() + words[1:] for words in unknown)
        return f"{sentences}."
    if searched := query.get("q", "").strip():
        return f"The index does not know {searched}. It may still be at an edge: see Edges."
    return "Nothing here. Send something, or reset the filters."


def _study(rows: list[Row], columns: int) -> Markup:
    """A body of its own, headed by what is known of the study."""
    first = rows[0]
    count = sum(row["instances"] for row in rows)
    known = {
        "": tag("b", first["study_description"] or "Study"),
        "Patient": _code(first["patient_id"]),
        "Accession": _code(first["accession_number"]),
        "Date": str(first["study_date"] or "") or None,
        "Contains": f"{len(rows)} series, {counted(count, 'instance')}",
    }
    shown = [
        tag("span", tag("span", f"{name} ", class_="quiet") if name else None, value)
        for name, value in known.items()
        if value
    ]
    heading = tag(
        "th",
        tag("a", shown, href=f"/?q={first['study_instance_uid']}", title=first["study_instance_uid"]),
        colspan=columns,
        scope="rowgroup",
    )
    return tag("tbody", tag("tr", heading, class_="study"), [_series(row, columns) for row in rows])


def _series(row: Row, columns: int) -> Markup:
    cells = [tag("td", cell) for cell in [*_cells(row)][:columns]]
    return tag("tr", cells, class_="series")


def _words(row: Row) -> str:
    """Why it ended so, and by what a search found it."""
    found_as = f"found as {row['matched']}" if row.get("matched") else None
    return "; ".join(filter(None, (row["detail"], found_as)))


def _cells(row: Row) -> Iterator[Any]:
    name = row["series_description"] or row["series_instance_uid"]
    # With its place in the address: a browser shows the same picture again for the same address.
    source = f"{address(row)}/thumbnail?{row['place'] or ''}"
    yield tag(
        "img", src=source, alt=f"Middle picture of {name}", loading="lazy",
        width=44, height=44, class_="thumbnail",
    )  # fmt: skip
    yield place(row["place"])
    yield tag(
        "a", tag("b", row["modality"] or "?"), f" {name}", href=address(row), title=row["series_instance_uid"]
    )
    yield row["instances"]
    yield row["calling_ae"]
    yield row["edge"]
    yield time(row["first_received_at"])
    yield _took(row)
    yield _words(row)


def _code(text: str | None) -> Markup | None:
    return tag("span", text, class_="code") if text else None


def _took(row: Row) -> str:
    over = row["over_at"]
    return duration((over - row["first_received_at"]).total_seconds()) if over else "…"
