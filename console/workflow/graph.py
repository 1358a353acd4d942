"""The workflow as a graph: states of the definition in ranks, and the ways between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "statemachines" / "ingest_series.asl.json"


@dataclass(frozen=True)
class Way:
    """From one state to another; `error`: by a Catch."""

    source: str
    target: str
    error: bool = False


@dataclass(frozen=True)
class Node:
    """A state with its place: ranks go down, column 0 is the way without errors."""

    name: str
    type: str
    comment: str
    rank: int
    column: int


@dataclass(frozen=True)
class Graph:
    """All states and ways."""

    nodes: dict[str, Node]
    ways: list[Way]


def read(definition: Path = DEFINITION) -> Graph:
    """The graph of a state machine's definition."""
    content: dict[str, Any] = json.loads(definition.read_text(encoding="utf-8"))
    return layout(content["States"], content["StartAt"])


def layout(states: Mapping[str, Any], start: str) -> Graph:
    """A state is one rank below the last of those that lead to it; ways that lead back do not count."""
    ways = [way for name, state in states.items() for way in dict.fromkeys(_ways(name, state))]
    forward = _forward(ways, start)
    ranks = _ranks(forward, start)
    main = set(_longest(_without_errors(forward, start), ranks))
    nodes: dict[str, Node] = {}
    for name, state in states.items():
        taken = {node.column for node in nodes.values() if node.rank == ranks[name]}
        free = next(column for column in count(1) if column not in taken)
        column = 0 if name in main else free
        nodes[name] = Node(name, state["Type"], state.get("Comment", ""), ranks[name], column)
    return Graph(nodes, ways)


def _without_errors(forward: list[Way], start: str) -> list[Way]:
    """What an execution goes through in which nothing fails."""
    fine = [way for way in forward if not way.error]
    reached, left = {start}, [start]
    while left:
        source = left.pop()
        found = {way.target for way in fine if way.source == source} - reached
        reached |= found
        left += found
    return [way for way in fine if way.source in reached]


def _ways(name: str, state: Mapping[str, Any]) -> Iterator[Way]:
    if "Next" in state:
        yield Way(name, state["Next"])
    if "Default" in state:
        yield Way(name, state["Default"])
    for choice in state.get("Choices", []):
        yield Way(name, choice["Next"])
    for catch in state.get("Catch", []):
        if catch["Next"] != state.get("Next"):
            yield Way(name, catch["Next"], error=True)


def _forward(ways: list[Way], start: str) -> list[Way]:
    """Without the ways that lead back to a state through which one came."""
    kept: list[Way] = []
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        for way in (way for way in ways if way.source == name):
            if way.target in (*above, name):
                continue
            kept.append(way)
            if way.target not in done:
                walk(way.target, (*above, name))
        done.add(name)

    walk(start, ())
    return kept


def _ranks(forward: list[Way], start: str) -> dict[str, int]:
    ranks = {start: 0}
    for _ in range(len(forward)):
        for way in forward:
            if way.source in ranks:
                ranks[way.target] = max(ranks.get(way.target, 0), ranks[way.source] + 1)
    return ranks


def _longest(forward: list[Way], ranks: Mapping[str, int]) -> Iterator[str]:
    """Backwards from the lowest end without error, always through the lowest state before."""
    sources = {way.source for way in forward}
    ends = [way.target for way in forward if way.target not in sources]
    name: str | None = max(ends, key=lambda end: ranks[end])
    while name is not None:
        yield name
        before = [way.source for way in forward if way.target == name]
        name = max(before, key=lambda source: ranks[source], default=None)
