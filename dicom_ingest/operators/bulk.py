"""Changes of many series at once: who would change, and whether each still is as it was shown.

A list moves while a person reads it. So a change is made to the series that were shown, each under the
condition that it has not moved on since, and never to whatever a filter finds now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.places import COUNTED, NEED_ATTENTION, UNDER_WAY, Filter, places
from dicom_ingest.operators.read.series.search import where
from dicom_ingest.operators.read.state.attention import counted

Change = Literal["reprocess", "cancel"]
CHANGES: tuple[str, ...] = get_args(Change)
MOST = 500
"""Series that one confirmation changes at most."""
ELIGIBLE = {
    "reprocess": f"it has ended {', '.join(NEED_ATTENTION)}, or as the filter says",
    "cancel": "its ticket waits for a slot",
}


def matching(index: Index, chosen: Filter, term: str = "", *, whole: bool = False) -> list[Row]:
    """Every series transfer of a filter and a search term, the newest COUNTED of them.

    `whole`: the beginning of what the term means is not enough.
    """
    if term:
        return where(index, term, COUNTED, chosen, whole=whole)
    return places(index, chosen, COUNTED)


def eligible(change: str, rows: Iterable[Row], place: str | None = None) -> list[Row]:
    """Those of them that the change is for. `place`: the filter's; an outcome there is meant by its name."""
    if change == "cancel":
        return [row for row in rows if row["place"] == "waiting"]
    meant = NEED_ATTENTION if place is None or place in UNDER_WAY else (place,)
    return [row for row in rows if row["place"] in meant and not row["acknowledged"]]


def mark(change: str, row: Row) -> str:
    """Names the series transfer as it is now: the ticket that waits, or the end that it came to."""
    seen = row["ticket_id"] if change == "cancel" else row["over_at"].timestamp()
    return f"{row['pk']}@{row['place']}@{seen}"


def unchanged(index: Index, change: str, marks: Iterable[str]) -> list[Row]:
    """The series transfers of these marks that are as they were when they were marked."""
    wanted = list(dict.fromkeys(marks))
    pks = [int(pk) for each in wanted if (pk := each.partition("@")[0]).isdecimal()]
    rows = places(index, Filter(pks=pks), len(pks)) if pks else []
    ended = [row for row in rows if change == "cancel" or row["over_at"] is not None]
    return [row for row in ended if mark(change, row) in wanted]


def sizes(rows: list[Row]) -> str:
    """`3 series of 2 studies, 91 instances`."""
    studies = len({row["study_instance_uid"] for row in rows})
    of = counted(studies, "study", "studies")
    return f"{counted(len(rows), 'series')} of {of}, {counted(sum(r['instances'] for r in rows), 'instance')}"
