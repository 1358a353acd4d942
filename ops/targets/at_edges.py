"""What edges of a stack on AWS say and hold: read from the log of their heartbeats."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dicom_ingest.contracts.messages.events import EDGE_HEARTBEAT, EDGE_HOLDINGS
from dicom_ingest.operators.read.index import Row

ANNOUNCED = "announced"
"""A state of a series that an edge has sent away: the index has it, or will have it in a moment."""
WAYS = {"sealed": "upload", "announcing": "announcement"}
"""What a series in this state waits for, by the name of the problem that keeps it."""
HEARTBEATS_MINUTES = 15


def heartbeats(logs: Any, stack: str, now: float) -> list[Row]:
    """The newest heartbeat of every edge, from the log that the bus writes."""
    return _newest_heartbeats(_said(logs, stack, now))


def held(logs: Any, stack: str, term: str, now: float) -> list[Row]:
    """Series that an edge held when it last said so: by a term, or all.

    The term: how a study's or series' UID begins, a transfer or an AE title.
    """
    said = _said(logs, stack, now)
    problems = {beat["edge"]: beat.get("problems", []) for beat in _newest_heartbeats(said)}
    found: list[Row] = []
    for edge, pages in _newest_holdings(said).items():
        series = [series for page in pages for series in page["series"]]
        matching = _matching(series, term)
        found += [
            {
                "edge": edge,
                **row,
                "waits_for": _waits_for(row, problems.get(edge, [])),
                "said_at": page_time(pages),
            }
            for row in matching
        ]
        if (not term or not matching) and (more := max(page["series_more"] for page in pages)):
            found.append(
                {"edge": edge, "trouble": f"holds {more} more series than it lists: ask on the device"}
            )
    return found


def page_time(pages: list[Row]) -> str:
    """When the edge said it."""
    said_at: str = pages[0]["said_at"]
    return said_at


def _said(logs: Any, stack: str, now: float) -> list[Row]:
    """Events of the last minutes, in order."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/events/{stack}-heartbeats",
        startTime=int((now - HEARTBEATS_MINUTES * 60) * 1000),
    )
    return [json.loads(entry["message"]) for page in pages for entry in page["events"]]


def _newest_heartbeats(said: Iterable[Row]) -> list[Row]:
    newest: dict[str, Row] = {}
    for event in said:
        if event.get("detail-type", EDGE_HEARTBEAT) == EDGE_HEARTBEAT:
            newest[event["detail"]["edge"]] = {"heartbeat_at": event["time"], **event["detail"]}
    return [newest[edge] for edge in sorted(newest)]


def _newest_holdings(said: Iterable[Row]) -> dict[str, list[Row]]:
    """By edge, the events of its last look."""
    pages = [event["detail"] for event in said if event.get("detail-type") == EDGE_HOLDINGS]
    last: dict[str, str] = {}
    for page in pages:
        last[page["edge"]] = max(page["said_at"], last.get(page["edge"], ""))
    return {
        edge: [page for page in pages if page["edge"] == edge and page["said_at"] == at]
        for edge, at in sorted(last.items())
    }


def _matching(series: list[Row], term: str) -> list[Row]:
    """Those that a whole term means; else those whose study's or series' UID begins with it."""
    uids = ("study_instance_uid", "series_instance_uid")
    whole = [row for row in series if term in {row[name] for name in (*uids, "transfer_id", "calling_ae")}]
    if whole or "." not in term:
        return whole if term else series
    return [row for row in series if any(row[name].startswith(term) for name in uids)]


def _waits_for(row: Row, problems: Iterable[Row]) -> str:
    if row["problem"]:
        return str(row["problem"])
    way = WAYS.get(row["state"])
    known = next((problem["reason"] for problem in problems if problem["name"] == way), None)
    if known is not None:
        return str(known)
    return f"its {way}" if way else "more instances, or a time without any"
