"""Who may import whom, from the contracts that import-linter enforces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomllib

from docs.generate.pictures.svg import Arrow, Box, Kind, picture

PROJECT = Path(__file__).parents[3] / "pyproject.toml"
CONTRACTS, EMULATOR = "dicom_ingest.contracts", "healthimaging_emulator"
PARTS = {"dicom_ingest": "dicom_ingest.db"}
"""A room of which some may be imported counts as forbidden where this part of it is."""

PLACES: dict[str, tuple[tuple[str, ...], tuple[float, float], Kind]] = {
    "local": (("the same pipeline", "on one machine"), (0.5, 0), "plain"),
    "console": (("the web", "console"), (1, 0), "plain"),
    "ops": (("the operator's", "command line"), (2, 0), "plain"),
    EMULATOR: (("the emulator;", "could move out"), (0, 1), "end"),
    "functions": (("one per state;", "none imports another"), (1, 1), "plain"),
    "edge_component": (("the edge",), (0, 2), "plain"),
    "dicom_ingest": (("the layer: nouns,", "SQL below db/"), (2, 2), "plain"),
    "cdk": (("the stack",), (3, 2), "plain"),
    CONTRACTS: (("what crosses boundaries;", "imports no other room"), (2, 3), "store"),
}


def allowed() -> dict[str, set[str]]:
    """By room: the rooms that no contract forbids to it."""
    config = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    contracts = [contract for contract in config["contracts"] if contract["type"] == "forbidden"]
    return {
        room: {other for other in PLACES if _apart(room, other) and not _forbidden(contracts, room, other)}
        for room in PLACES
    }


def _apart(room: str, other: str) -> bool:
    """Neither the same nor the whole that a part is of, which imports nothing of it."""
    return room != other and not room.startswith(f"{other}.")


def _forbidden(contracts: list[dict[str, Any]], room: str, other: str) -> bool:
    names = {other, PARTS.get(other, other), other.split(".")[0]}
    return any(
        names & set(contract["forbidden_modules"])
        for contract in contracts
        if {room, room.split(".")[0]} & set(contract["source_modules"])
    )


def direct(everything: dict[str, set[str]]) -> list[tuple[str, str]]:
    """What remains when one leaves out what follows: who may import A may import what A may."""
    return [
        (room, other)
        for room, others in everything.items()
        for other in sorted(others)
        if not any(other in everything[between] for between in others - {other})
    ]


def rooms() -> str:
    """As SVG."""
    boxes = [Box(name, words, at, kind) for name, (words, at, kind) in PLACES.items()]
    arrows = [Arrow(room, other, route="vh") for room, other in direct(allowed())]
    return picture(
        "Who may import whom",
        "; ".join(
            f"{room} may import {', '.join(sorted(others))}" for room, others in allowed().items() if others
        ),
        boxes,
        arrows,
    )
