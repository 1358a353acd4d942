"""What the address of a list asks for: filters, a search term, an order, a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.choices import resolved
from dicom_ingest.operators.read.series.places import NEWEST_FIRST, ORDERS, PLACES, Filter, places, total
from dicom_ingest.operators.read.series.search import matches, where

VIEWS = {"": "all", "under_way": "under way", "needs_attention": "need attention"}
PAGE = 100
"""Rows of a page."""


@dataclass(frozen=True)
class Found:
    """A page of the rows that a query asks for."""

    rows: list[Row]
    page: int
    total: int
    unknown: list[str]
    """A sentence for each part of the query that is not known."""


def found(index: Index, query: Mapping[str, str], most: int = PAGE) -> Found:
    """The rows that a query asks for: by a search term, by filters, or by both. `most`: of a page."""
    term, page = searched(query), page_of(query)
    wanted, unknown = resolved(index, chosen(query))
    whole = matches(index, term, wanted) if term else total(index, wanted)
    said = [*misread(query), *unknown, *beyond(page, whole, most)]
    skip, order = (page - 1) * most, order_of(query)
    if skip > whole:
        return Found([], page, whole, said)
    if term:
        return Found(where(index, term, most, wanted, skip, order), page, whole, said)
    return Found(places(index, wanted, most, skip, order), page, whole, said)


def searched(query: Mapping[str, str]) -> str:
    """The search term, or nothing."""
    return query.get("q", "").strip()


def page_of(query: Mapping[str, str]) -> int:
    """The number of the page, the first where the query names none."""
    text = query.get("page", "")
    return max(1, int(text)) if text.isdecimal() and len(text) < 6 else 1


def order_of(query: Mapping[str, str]) -> str:
    """A column, with a minus in front for the largest first."""
    order = query.get("sort", "")
    return order if order.removeprefix("-") in ORDERS else NEWEST_FIRST


def chosen(query: Mapping[str, str]) -> Filter:
    """The filter of a query. What is not known restricts nothing, and `found` says so."""
    view = query.get("view", "")
    return Filter(
        place=query["place"] if query.get("place") in PLACES else None,
        edge=query.get("edge") or None,
        ae=query.get("ae", "").strip() or None,
        modality=query.get("modality", "").strip() or None,
        day=_day(query.get("day", "")),
        study=query.get("study") or None,
        under_way=view == "under_way",
        needs_attention=view == "needs_attention",
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def misread(query: Mapping[str, str]) -> list[str]:
    """A sentence for each value that no filter has."""
    known = {"place": PLACES, "view": tuple(filter(None, VIEWS)), "sort": tuple(ORDERS)}
    said = [
        f"there is no {name} {query[name]}; there is {', '.join(values)}"
        for name, values in known.items()
        if query.get(name) and query[name].removeprefix("-" if name == "sort" else "") not in values
    ]
    if query.get("day") and _day(query["day"]) is None:
        said.append(f"{query['day']} is no day; a day is written YYYY-MM-DD")
    return said


def beyond(page: int, whole: int, most: int = PAGE) -> list[str]:
    """A sentence where there is no such page."""
    last = max(1, -(-whole // most))
    return [f"there is no page {page}; the last is {last}"] if page > last else []
