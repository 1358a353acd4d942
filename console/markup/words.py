"""Values as a person reads them: times, sizes, durations, places."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from console.markup.html import tag
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import NEED_ATTENTION, UNDER_WAY

_STEPS = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


def time(value: datetime | None) -> Markup | None:
    """A moment in UTC, to the second; the whole of it for machines."""
    if value is None:
        return None
    moment = value.astimezone(timezone.utc)
    return tag("time", moment.strftime("%Y-%m-%d %H:%M:%S"), datetime=moment.isoformat())


def address(row: Row) -> str:
    """The page of a series transfer."""
    return f"/series/{row['transfer_id']}/{row['series_instance_uid']}"


def study_address(study_instance_uid: str) -> str:
    """The page of a study."""
    return f"/study/{quote(study_instance_uid, safe='')}"


def runbook(see: str) -> str:
    """The console's page for a heading of the runbook: `docs/operations.md#nothing-gets-out`."""
    return f"/runbook#{see.rpartition('#')[2]}"


def size(count: float) -> str:
    """Bytes with a fitting unit."""
    for step, unit in _STEPS:
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, no more than two of them."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{seconds:.1f} s"


def roughly(seconds: float) -> str:
    """A duration that does not change with every look, rounded up."""
    minutes = int(seconds) // 60 + 1
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def place(name: str | None) -> Markup:
    """A place or an outcome, coloured by what it asks of the reader; the word says it, too."""
    shown = name or "over"
    kind = "person" if shown in NEED_ATTENTION else "moving" if shown in UNDER_WAY else "done"
    return tag("span", shown, class_=f"place {kind}")


def verdict(name: str) -> Markup:
    """What became of an instance."""
    kind = {"FAILED": "person", "MISSING": "person", "WARNED": "warned", "PENDING": "moving"}.get(
        name, "done"
    )
    return tag("span", name, class_=f"place {kind}")


def text(value: Any) -> Any:
    """A table's cell."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return time(value)
        case float():
            return f"{value:.1f}"
    return str(value)
