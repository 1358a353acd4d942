"""The flow as a picture: edge, S3, index, waiting, importing, image sets, with counts and rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.words import roughly
from dicom_ingest.operators.read.flow import HOURS
from dicom_ingest.operators.read.index import Row


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
            f"of {counts['capacity']} slots",
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
    return f"for {roughly((datetime.now(timezone.utc) - since).total_seconds())} at most"


def _queue(counts: Row) -> str:
    if counts["tickets_stranded"]:
        return f"{counts['tickets_stranded']} for a replaced data store"
    if counts["paused"]:
        return "paused by an operator"
    if counts["gate_closed"]:
        return "the data store's gate is closed"
    if not counts["capacity"]:
        return "no import may run: 0 slots"
    return "for an import slot" if counts["series_waiting"] else "nobody waits"


def picture(counts: Row, edge: dict[str, Any] | None) -> Markup:
    """The stages in a row, then what asks for a person."""
    silent = (edge or {}).get("silent_aes", [])
    return tag(
        "div",
        tag("ol", [_stage(stage) for stage in stages(counts, edge)], class_="flow"),
        tag(
            "p",
            *_calls(counts["series_needing_a_person"], silent, (edge or {}).get("problems", [])),
            class_="calls",
        ),
    )


def _calls(person: int, silent: list[str], problems: list[Row]) -> list[Markup]:
    """What somebody should look at."""
    calls = [
        tag("a", problem["reason"], href="/edges", class_="place person")
        for problem in problems
        if problem["name"] != "senders"
    ]
    calls += [tag("a", f"{ae} has fallen silent", href="/edges", class_="place person") for ae in silent]
    if person:
        words = f"{person} series need{'s' if person == 1 else ''} a person"
        calls.insert(0, tag("a", words, href="/?view=needs_a_person", class_="place person"))
    return calls or [tag("span", "Nothing needs a person", class_="place done")]


def _stage(stage: Stage) -> Markup:
    classes = " ".join(
        name for name, holds in {"moving": stage.moving, "stuck": stage.stuck}.items() if holds
    )
    return tag(
        "li",
        tag("span", stage.name, class_="name"),
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
        f"{counts['series_importing']} importing, {counts['series_over']} over, "
        f"{counts['series_needing_a_person']} need a person."
    )
