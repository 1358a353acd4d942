"""Read model: what needs attention now, from the index and from what the edges say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.state.edges import RECENT_DAYS, edges
from dicom_ingest.operators.read.state.slots import semaphores

_ENDED = """
SELECT outcome, count(*) AS series, min(over_at) AS since FROM series_transfer
WHERE state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN', 'PARTIAL', 'NON_PRIMARY')
    AND (acknowledged_at IS NULL OR acknowledged_at < over_at)
GROUP BY outcome ORDER BY outcome
"""
_PAUSED = """
SELECT who, at FROM operator_action
WHERE datastore_id = CAST(:datastore AS text) AND action = 'granting paused' ORDER BY pk DESC LIMIT 1
"""
_RUNBOOK = "docs/operations.md#"
_OUTCOMES = {
    "FAILED": "not imported",
    "UNKNOWN": "imported without a result: what was imported is unknown",
    "PARTIAL": "imported in part",
    "NON_PRIMARY": "imported into an image set that is not primary",
}


@dataclass(frozen=True)
class Call:
    """One thing that needs attention: what and how many, since when, what to type, and the runbook's page."""

    words: str
    since: datetime | None
    do: str
    see: str
    page: str
    """The page of the console that shows it."""


def attention(index: Index, said: list[Row]) -> list[Call]:
    """Everything that needs attention, edges first. `said`: each edge's status or heartbeat, or `trouble`."""
    seen = edges(index)
    announced = {row["edge"]: row["last_announced_at"] for row in seen}
    return [
        *(call for edge in [*said, *unheard(said, seen)] for call in _of_edge(edge, announced)),
        *(call for store in semaphores(index) for call in _of_store(index, store)),
        *(_of_outcome(row) for row in index.run(_ENDED)),
    ]


def unheard(said: list[Row], seen: list[Row], now: datetime | None = None) -> list[Row]:
    """Edges that announced something in the last days and say nothing of themselves now."""
    since = (now or datetime.now(timezone.utc)) - timedelta(days=RECENT_DAYS)
    heard = {row["edge"] for row in said}
    return [
        {"edge": row["edge"], "trouble": "says nothing of itself: network, certificate, power?"}
        for row in seen
        if row["edge"] not in heard and row["last_announced_at"] > since
    ]


def counted(count: int, word: str, many: str | None = None) -> str:
    """`1 instance`, `2 instances`, `3 series`."""
    plural = many or (word if word.endswith("s") else f"{word}s")
    return f"{count} {word if count == 1 else plural}"


def _of_edge(edge: Row, announced: Mapping[str, datetime | None]) -> list[Call]:
    name = edge["edge"]
    if "trouble" in edge:
        last = announced.get(name)
        heard = (
            f"; its last series was announced at {last.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
            if last
            else ""
        )
        return [_edge_call(f"Edge {name} {edge['trouble']}{heard}", None, f"{_RUNBOOK}edge-silent")]
    found = [
        _edge_call(f"Edge {name}: {problem['reason']}", _moment(problem.get("since")), problem["see"])
        for problem in edge.get("problems", [])
        if problem["name"] != "senders"
    ]
    found += [
        _edge_call(
            f"Sender {ae} has been silent at {name} for longer than in the weeks before",
            None,
            f"{_RUNBOOK}edge-quiet-sender",
        )
        for ae in edge.get("silent_aes", [])
    ]
    quarantined = edge.get("instances_quarantined", edge.get("quarantined")) or 0
    if quarantined:
        words = f"Edge {name}: {counted(quarantined, 'rejected instance')} in quarantine"
        found.append(_edge_call(words, None, f"{_RUNBOOK}instances-are-refused"))
    return found


def _edge_call(words: str, since: datetime | None, see: str) -> Call:
    return Call(words, since, "ops edges", see, "/edges")


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None


def _of_store(index: Index, store: Row) -> list[Call]:
    waiting = f"{counted(store['waiting'], 'series')} waiting"
    if store["oldest_waiting_since"] is not None:
        waiting += (
            f", the oldest since {store['oldest_waiting_since'].astimezone(timezone.utc):%Y-%m-%d %H:%M}"
        )
    if store["replaced"]:
        words = f"A data store was replaced, and its tickets will get no slot: {waiting}"
        do, see = "ops slots move --stranded", f"{_RUNBOOK}tickets-stranded"
        return [Call(words, store["oldest_waiting_since"], do, see, "/slots")] if store["waiting"] else []
    found = []
    if store["gate"] == "CLOSED":
        words = f"The gate to HealthImaging is closed: {store['gate_reason']}; {waiting}"
        see = f"{_RUNBOOK}gate-closed"
        found.append(Call(words, store["gate_closed_at"], "ops slots", see, "/slots"))
    if store["paused"]:
        by = next(iter(index.run(_PAUSED, datastore=store["datastore_id"])), {"who": None, "at": None})
        words = f"Granting is paused by {by['who'] or 'an operator'}: {waiting}"
        see = f"{_RUNBOOK}the-queue-for-slots"
        found.append(Call(words, by["at"], "ops slots resume", see, "/slots"))
    if not store["capacity"]:
        words, do = f"No import may run, there are 0 slots: {waiting}", "ops slots capacity NUMBER"
        found.append(Call(words, None, do, f"{_RUNBOOK}the-queue-for-slots", "/slots"))
    return found


def _of_outcome(row: Row) -> Call:
    outcome = row["outcome"]
    return Call(
        f"{counted(row['series'], 'series')} {outcome}: {_OUTCOMES[outcome]}",
        row["since"],
        f"ops status --place {outcome} --needs-attention",
        f"{_RUNBOOK}series-{outcome.lower()}",
        f"/?view=needs_attention&place={outcome}",
    )
