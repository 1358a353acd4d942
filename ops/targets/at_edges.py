"""What edges say and hold: asked by HTTP in a local run, read from the log of heartbeats on AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

from dicom_ingest.contracts.messages.events import EDGE_HEARTBEAT, EDGE_HOLDINGS
from dicom_ingest.operators.read.index import Row

ANNOUNCED = "announced"
"""A state of a series that an edge has sent away: the index has it, or will have it in a moment."""
WAYS = {"sealed": "upload", "announcing": "announcement"}
"""What a series in this state waits for, by the name of the problem that keeps it."""
HEARTBEATS_MINUTES = 15


# A local run


def edges_say(edges: Mapping[str, int]) -> list[Row]:
    """The status of each edge, or `trouble`. `edges`: health ports by edge."""
    return [_asked(edge, port, "/status") for edge, port in edges.items()]


def edges_hold(edges: Mapping[str, int], term: str) -> list[Row]:
    """Series that each edge knows by a term, or `trouble`."""
    found: list[Row] = []
    for edge, port in edges.items():
        said = _asked(edge, port, f"/where?q={quote(term, safe='')}")
        found += [said] if "trouble" in said else [{"edge": edge, **series} for series in said["series"]]
    return found


def _asked(edge: str, port: int, path: str) -> Row:
    url = f"http://127.0.0.1:{port}{path}"
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=10) as answer:
            said: Row = json.load(answer)
            return said
    except (URLError, ConnectionError, TimeoutError) as error:
        return {"edge": edge, "trouble": f"does not answer at {url}: {getattr(error, 'reason', error)}"}


# A stack on AWS


def heartbeats(logs: Any, stack: str, now: float) -> list[Row]:
    """The newest heartbeat of every edge, from the log that the bus writes."""
    return _newest_heartbeats(_said(logs, stack, now))


def held(logs: Any, stack: str, term: str, now: float) -> list[Row]:
    """Series that an edge held when it last said so: by study or series UID, transfer or AE title; or all."""
    said = _said(logs, stack, now)
    problems = {beat["edge"]: beat.get("problems", []) for beat in _newest_heartbeats(said)}
    found: list[Row] = []
    for edge, pages in _newest_holdings(said).items():
        series = [series for page in pages for series in page["series"]]
        matching = [row for row in series if not term or term in _terms(row)]
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


def _terms(row: Row) -> set[Any]:
    return {row["study_instance_uid"], row["series_instance_uid"], row["transfer_id"], row["calling_ae"]}


def _waits_for(row: Row, problems: Iterable[Row]) -> str:
    if row["problem"]:
        return str(row["problem"])
    way = WAYS.get(row["state"])
    known = next((problem["reason"] for problem in problems if problem["name"] == way), None)
    if known is not None:
        return str(known)
    return f"its {way}" if way else "more instances, or a time without any"
