"""The flow as a picture: edge, S3, index, waiting, importing, image sets, with counts and rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.words import roughly, runbook, time
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.state.attention import Call
from dicom_ingest.operators.read.state.flow import HOURS

PAGES = {
    "Edge": "/edges",
    "S3": "/ledger",
    "Index": "/?view=under_way",
    "Waiting": "/slots",
    "Importing": "/?place=importing",
    "Image sets": "/?place=COMPLETED",
}
"""Where each stage's rows are listed."""


@dataclass(frozen=True)
class Stage:
    """One stage. `pace`: how fast it goes; `moving`: something is there now and will go on."""

    name: str
    count: int | str
    unit: str
    words: str
    pace: str = ""
    moving: bool = False
    stuck: bool = False


def stages(counts: Row, edge: dict[str, Any] | None) -> list[Stage]:
    """From the index and from what the edge says; None: it does not answer."""
    said: dict[str, Any] = edge or {}
    spool, received = said.get("spool_instances", 0), said.get("instances_received", 0)
    unsealed = said.get("series_open", 0)
    receiving = f"{received} received" + (f", {unsealed} series open" if unsealed else "")
    shut = counts["paused"] or counts["gate_closed"] or counts["tickets_stranded"] or not counts["capacity"]
    waiting, importing = counts["series_waiting"], counts["series_importing"]
    return [
        Stage(
            "Edge",
            spool,
            "instances to send",
            receiving if edge else "the edge does not answer",
            _pace(said.get("received_last_minute")),
            moving=bool(spool),
            stuck=edge is None,
        ),
        Stage(
            "S3",
            said.get("instances_uploaded", "?"),
            "instances",
            f"{counts['series_announced']} series announced in {HOURS} h",
            _pace(said.get("uploaded_last_minute")),
        ),
        Stage(
            "Index",
            counts["series_indexed"],
            "series",
            f"{counts['instances_indexed']} instances in {HOURS} h",
            _pace(counts["series_indexed_last_minute"]),
            moving=bool(counts["series_being_indexed"]),
        ),
        Stage(
            "Waiting",
            waiting,
            "series",
            _queue(counts),
            _longest(counts["oldest_waiting_since"]),
            moving=bool(waiting),
            stuck=bool(waiting and shut),
        ),
        Stage(
            "Importing",
            importing,
            "series",
            f"in {counts['slots_held']} of {counts['capacity']} slots",
            _pace(counts["imports_started_last_minute"]),
            moving=bool(importing),
        ),
        Stage(
            "Image sets",
            counts["image_sets"],
            "image sets",
            f"{counts['instances_imported']} instances in {HOURS} h",
            _pace(counts["image_sets_last_minute"]),
        ),
    ]


def _pace(grown: int | None) -> str:
    return f"+{grown} in the last minute" if grown else "none in the last minute"


def _longest(since: datetime | None) -> str:
    """Not by the second: a page whose every look differs would be told again and again."""
    if since is None:
        return "no queue"
    return f"oldest {roughly((datetime.now(timezone.utc) - since).total_seconds())}"


def _queue(counts: Row) -> str:
    if counts["tickets_stranded"]:
        return f"{counts['tickets_stranded']} for a replaced data store"
    if counts["paused"]:
        return "paused by an operator"
    if counts["gate_closed"]:
        return "the data store's gate is closed"
    if not counts["capacity"]:
        return "no import may run: 0 slots"
    return "for an import slot" if counts["series_waiting"] else "no series is waiting"


def picture(counts: Row, edge: dict[str, Any] | None, calls: list[Call]) -> Markup:
    """The stages in a row, then everything that needs attention."""
    return tag(
        "div",
        tag("ol", [_stage(stage) for stage in stages(counts, edge)], class_="flow"),
        _calls(calls),
    )


def _calls(calls: list[Call]) -> Markup:
    """A line each: what and how many, since when, what to type, and where the runbook has it."""
    if not calls:
        return tag("p", tag("span", "No action needed", class_="place done"), class_="calls")
    return tag("ul", [_call(call) for call in calls], class_="calls card")


def _call(call: Call) -> Markup:
    return tag(
        "li",
        tag("a", call.words, href=call.page, class_="trouble"),
        tag("span", " (since ", time(call.since), ")") if call.since else None,
        tag("span", " Type: ", tag("code", f".venv/bin/python -m {call.do}"), class_="quiet"),
        " ",
        tag("a", "What to do", href=runbook(call.see), aria_label=f"What to do: {call.words}"),
    )


def _stage(stage: Stage) -> Markup:
    classes = " ".join(
        name for name, holds in {"moving": stage.moving, "stuck": stage.stuck}.items() if holds
    )
    return tag(
        "li",
        tag("a", stage.name, href=PAGES[stage.name], class_="name"),
        tag("span", stage.count, class_="count"),
        tag("span", stage.unit, class_="unit"),
        tag("span", stage.words, class_="words"),
        tag("span", stage.pace, class_="pace"),
        class_=classes or None,
        data_stage=stage.name,
    )


def sentence(counts: Row) -> str:
    """What a screen reader is told when it changes."""
    return (
        f"{counts['series_announced']} series announced, {counts['series_waiting']} waiting, "
        f"{counts['series_importing']} importing, {counts['series_over']} finished, "
        f"{counts['series_needing_attention']} need attention."
    )
