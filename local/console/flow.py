"""The flow as a picture: edge, S3, index, waiting, importing, image sets, with counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dicom_ingest.db.read_index import Row
from local.console.html import tag


@dataclass(frozen=True)
class Stage:
    """One stage. `moving`: something is there now and will go on."""

    name: str
    count: int | str
    unit: str
    words: str
    moving: bool = False
    stuck: bool = False


def stages(counts: Row, edge: dict[str, Any] | None) -> list[Stage]:
    """From the index and from what the edge says; None: it does not answer."""
    said: dict[str, Any] = edge or {}
    spool = said.get("spool_instances", 0)
    received, unsealed = said.get("instances_received", 0), said.get("series_open", 0)
    receiving = f"{received} received, {unsealed} open" if edge else "the edge does not answer"
    shut = counts["paused"] or counts["gate_closed"]
    indexing, waiting = counts["series_being_indexed"], counts["series_waiting"]
    importing, uploaded = counts["series_importing"], said.get("instances_uploaded", "?")
    return [
        Stage("Edge", spool, "instances to send", receiving, moving=bool(spool), stuck=edge is None),
        Stage("S3", uploaded, "instances", f"{counts['series_announced']} series announced"),
        Stage(
            "Index",
            counts["series_indexed"],
            "series",
            f"{counts['instances_indexed']} instances",
            moving=bool(indexing),
        ),
        Stage(
            "Waiting", waiting, "series", _queue(counts), moving=bool(waiting), stuck=bool(waiting and shut)
        ),
        Stage("Importing", importing, "series", f"of {counts['capacity']} slots", moving=bool(importing)),
        Stage("Image sets", counts["image_sets"], "image sets", f"{counts['instances_imported']} instances"),
    ]


def _queue(counts: Row) -> str:
    if counts["paused"]:
        return "paused by an operator"
    if counts["gate_closed"]:
        return "the data store's gate is closed"
    return "for an import slot" if counts["series_waiting"] else "nobody waits"


def picture(counts: Row, edge: dict[str, Any] | None) -> Markup:
    """The stages in a row, then what needs a person and the pace."""
    person = counts["series_needing_a_person"]
    pace = (
        f"In the last minute {counts['series_announced_last_minute']} series were announced "
        f"and {counts['series_over_last_minute']} ended."
    )
    return tag(
        "div",
        tag("ol", [_stage(stage) for stage in stages(counts, edge)], class_="flow"),
        tag(
            "p",
            tag(
                "a", f"{person} series need{'s' if person == 1 else ''} a person",
                href="/?view=needs_a_person", class_="place person",
            )
            if person
            else tag("span", "Nothing needs a person", class_="place done"),
            " ",
            pace,
            class_="pace",
        ),
    )  # fmt: skip


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
