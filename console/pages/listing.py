"""The first page: search and filters, and the series by study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from console.markup.html import tag
from console.markup.lists import pages, part, sorting
from console.markup.page import table, wide
from console.markup.words import address, duration, place, study_address, time
from console.pages.sharing import shares
from console.run.query import PAGE, VIEWS, Found, order_of, searched
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import COUNTED, NEWEST_FIRST, ORDERS, PLACES
from dicom_ingest.operators.read.state.attention import counted

COLUMNS = {
    "Picture": None,
    "Place": "place",
    "Series": "series",
    "Instances": "instances",
    "From": "from",
    "Edge": "edge",
    "Received": "received",
    "Took": "took",
    "Import": None,
    "Reason": None,
}
"""Each column, and by what it sorts."""
SORTS = {"": "newest first", "received": "oldest first", "patient": "by patient", "accession": "by accession"}


def form(query: Mapping[str, str], edges: list[str]) -> Markup:
    """Search and filters; a plain GET."""
    return tag(
        "form",
        _field(
            "q", "Search", query, type="search", placeholder="accession, patient, UID, AE", size=27,
            accesskey="s",
        ),
        _select("view", "Show", query, VIEWS),
        _select("place", "Place or outcome", query, {"": "any", **{name: name for name in PLACES}}),
        _field("modality", "Modality", query, size=3),
        _field("ae", "AE title", query, size=9),
        _select("edge", "Edge", query, {"": "any", **{name: name for name in edges}}),
        _field("day", "Received (UTC)", query, type="date"),
        _select("sort", "Sort", query, _sorts(query)),
        tag("button", "Apply", type="submit"),
        tag("a", "Reset", href="/", class_="reset"),
        class_="filters",
        role="search",
        action="/",
    )  # fmt: skip


def _sorts(query: Mapping[str, str]) -> dict[str, str]:
    """By what a heading sorts now is among the choices."""
    now = query.get("sort", "")
    by = now.removeprefix("-")
    return {**SORTS, **({now: f"by {by}"} if by in ORDERS and now not in (*SORTS, NEWEST_FIRST) else {})}


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


def listing(shown: Found, query: Mapping[str, str], send_to: str | None = None) -> Markup:
    """The series transfers, newest first, those of one study that came together under its name."""
    rows = shown.rows
    if not rows:
        words = tag("p", _nothing(query, shown.unknown, send_to), class_="empty")
        return tag("section", tag("h2", "Series (0)"), words, class_="card")
    first, order = (shown.page - 1) * PAGE + 1, order_of(query)
    caption = f"Series ({part(first, len(rows), shown.total, COUNTED)})"
    columns = [name for name in COLUMNS if name not in SAID or any(SAID[name](row) for row in rows)]
    heads = [
        sorting(name, by, order, "/", query) if (by := COLUMNS[name]) else tag("th", name, scope="col")
        for name in columns
    ]
    studies = [
        _study(list(group), columns) for _, group in groupby(rows, lambda row: row["study_instance_uid"])
    ]
    return tag(
        "div",
        [tag("p", _sentence([words]), class_="trouble") for words in shown.unknown],
        _newest_only(shown, order),
        wide(caption, tag("thead", tag("tr", heads)), studies, class_="studies"),
        pages("/", query, shown.page, more=shown.total > first - 1 + len(rows)),
        _bulk(query),
    )


def _newest_only(shown: Found, order: str) -> Markup | None:
    """Said where more match than are sorted."""
    if shown.total <= COUNTED or order.removeprefix("-") == "received":
        return None
    return tag("p", f"Sorted among the newest {COUNTED:,}. Filters narrow the list down.", class_="quiet")


def _bulk(query: Mapping[str, str]) -> Markup:
    """What can be done with all that match; each way leads to a page that lists them first."""
    kept = {name: value for name, value in query.items() if value and name not in ("sort", "page")}
    links = [
        tag("a", words, href=f"/bulk?{urlencode({**kept, 'change': change})}", class_="ask")
        for change, words in (
            ("reprocess", "Reprocess all that failed…"),
            ("cancel", "Cancel all that wait…"),
        )
    ]
    return tag("p", tag("span", "With all that match: ", class_="quiet"), links, class_="inline bulk")


def _sentence(words: list[str]) -> str:
    return ". ".join(each[:1].upper() + each[1:] for each in words) + "."


def _nothing(query: Mapping[str, str], unknown: list[str], send_to: str | None) -> Any:
    if unknown:
        return _sentence(unknown)
    if term := searched(query):
        return f"The index does not know {term}. It may still be at an edge: see Edges."
    if filtered(query):
        return "No series matches these filters."
    if send_to is None:
        return "No series has been announced yet."
    return [
        "No series has been announced yet. Send some: ",
        tag("code", f"dcmsend -v -nh +sd +r -aec EDGE_AE {send_to} FOLDER"),
    ]


def _study(rows: list[Row], columns: list[str]) -> Markup:
    """A body of its own, headed by what is known of the study. Another order or page may have more of it."""
    first = rows[0]
    count = sum(row["instances"] for row in rows)
    known = {
        "": tag("b", first["study_description"] or "Study"),
        "Patient": _code(first["patient_id"]),
        "Accession": _code(first["accession_number"]),
        "Date": str(first["study_date"] or "") or None,
        "Listed": f"{len(rows)} series, {counted(count, 'instance')}",
    }
    shown = [
        tag("span", tag("span", f"{name} ", class_="quiet") if name else None, value)
        for name, value in known.items()
        if value
    ]
    heading = tag(
        "th",
        tag("a", shown, href=study_address(first["study_instance_uid"]), title=first["study_instance_uid"]),
        colspan=len(columns),
        scope="rowgroup",
    )
    return tag("tbody", tag("tr", heading, class_="study"), [_series(row, columns) for row in rows])


def _series(row: Row, columns: list[str]) -> Markup:
    said = [SAID[name](row) for name in SAID if name in columns]
    cells = [tag("td", cell) for cell in (*_cells(row), *said)]
    return tag("tr", cells, class_="series")


def _words(row: Row) -> str:
    """Why it ended so, and by what a search found it."""
    found_as = f"found as {row['matched']}" if row.get("matched") else None
    return "; ".join(filter(None, (row["detail"], found_as)))


SAID: dict[str, Callable[[Row], Any]] = {"Import": shares, "Reason": _words}
"""The last columns; one that says nothing of any row is left out."""


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


def _code(text: str | None) -> Markup | None:
    return tag("span", text, class_="code") if text else None


def _took(row: Row) -> str:
    over = row["over_at"]
    return duration((over - row["first_received_at"]).total_seconds()) if over else "…"
