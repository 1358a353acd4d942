"""Imports that several series share, on lists and pages: each links to the others."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import table
from console.markup.words import address, place
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.study import named
from dicom_ingest.operators.read.series.timeline import Timeline


def together(transfer_id: Any, series: int) -> Markup:
    """A link to the list of all series of a shared import: those of one transfer."""
    return tag("a", f"shared by {series} series", href=f"/?{urlencode({'q': transfer_id})}")


def shares(row: Row) -> Markup | None:
    """In a list: the leader says how many series share its import, each other links to the leader."""
    if row["shared_by"]:
        return together(row["transfer_id"], row["shared_by"])
    if row["led_by_series"]:
        leader = address({**row, "series_instance_uid": row["led_by_series"]})
        return tag("a", "shared: see its leader", href=leader)
    return None


def import_of(found: Timeline) -> Markup | None:
    """On the page of a series: its import, and whose it is where it is shared."""
    ticket = found.tickets[-1] if found.tickets else None
    if ticket is None or (ticket["import_id"] is None and ticket["bundle"] is None):
        return None
    job = tag("code", ticket["import_id"]) if ticket["import_id"] else "not started"
    if ticket["bundle"] is None:
        return tag("span", job)
    shared = together(found.series_transfer["transfer_id"], ticket["shared_by"])
    return tag("span", job, ", ", shared, ", ", _led(found, ticket))


def _led(found: Timeline, ticket: Row) -> Any:
    if ticket["leader"] == ticket["ticket_id"]:
        return "led by this series"
    leader = next((row for row in found.shares if row["leads"]), None)
    if leader is None:
        return "without a leader"
    return tag("span", "led by ", tag("a", named(leader), href=address(leader)))


def members(found: Timeline) -> Markup | None:
    """On the page of a series: the first of those that share its import."""
    if not found.shares:
        return None
    columns: dict[str, Any] = {
        "Place": lambda row: place(row["outcome"] or row["state"].lower()),
        "Series": lambda row: tag("a", named(row), href=address(row), title=row["series_instance_uid"]),
        "Leads": lambda row: "yes" if row["leads"] else "",
        "Instances": "instances",
        "Scanned": "scanned",
        "Imported": "imported",
    }
    whole = found.tickets[-1]["shared_by"]
    count = str(whole) if whole == len(found.shares) else f"1 to {len(found.shares)} of {whole}"
    return table(f"Series that share its import ({count})", found.shares, columns, "")
