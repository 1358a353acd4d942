"""How much receiving loses to uploading: the edge with S3 away against the edge that uploads to the sink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.receiving.compare import SCRATCH
from benchmarks.receiving.corpora import CORPORA, Template, write_template
from benchmarks.receiving.receivers import EDGE, Receiver, edge_environment
from benchmarks.receiving.runs import Run, as_figures, run_once

ROUNDS = 5


@dataclass(frozen=True)
class Cell:
    """So many instances of a corpus on so many associations."""

    corpus: str
    associations: int
    instances: int


CELLS = (Cell("ct", 1, 800), Cell("ct", 4, 800), Cell("sr", 4, 6000))


def run(endpoint: str) -> list[dict[str, Any]]:
    """Every cell, round by round."""
    with TemporaryDirectory(dir=SCRATCH) as name:
        folder = Path(name)
        cells = [
            _cell(cell, write_template(CORPORA[cell.corpus], folder), endpoint, folder) for cell in CELLS
        ]
    table = Table(
        "objects",
        "associations",
        "rate while uploading, ratio",
        "CPU, ratio",
        title="receiving while uploading",
    )
    for cell in cells:
        table.add_row(*(str(cell[name]) for name in ("objects", "associations", "rate", "cpu")))
    Console().print(table)
    return cells


def _cell(cell: Cell, template: Template, endpoint: str, folder: Path) -> dict[str, Any]:
    edges = (replace(EDGE, name="S3 away"), _uploading_edge(endpoint))
    runs: dict[str, list[Run]] = {edge.name: [] for edge in edges}
    for _ in range(ROUNDS):
        for edge in edges:
            runs[edge.name].append(run_once(edge, template, cell.associations, cell.instances, folder))
    away, uploading = (_median(found) for found in runs.values())
    return {
        "objects": cell.corpus,
        "associations": cell.associations,
        "S3 away": as_figures(away),
        "uploading": as_figures(uploading),
        "rate": round(uploading.instances_per_second / away.instances_per_second, 2),
        "cpu": round(uploading.cpu_ms / away.cpu_ms, 2),
    }


def _uploading_edge(endpoint: str) -> Receiver:
    return replace(
        EDGE,
        name="uploading",
        environment=lambda port, folder: edge_environment(port, folder, endpoint=endpoint),
    )


def _median(runs: list[Run]) -> Run:
    return Run(*(median(getattr(run, name) for run in runs) for name in Run.__dataclass_fields__))
