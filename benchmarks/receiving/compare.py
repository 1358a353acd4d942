"""The edge against its peers: interleaved runs, medians, ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.kept import Case
from benchmarks.receiving.corpora import CORPORA, Template, write_template
from benchmarks.receiving.receivers import (
    EDGE,
    LIMIT,
    LIMIT_SYNCED,
    PYNETDICOM,
    RECEIVERS,
    STORESCP,
    Receiver,
)
from benchmarks.receiving.runs import Run, as_figures, run_once

SCRATCH = Path("/var/tmp")  # noqa: S108 - a disk: /tmp is often memory
"""Where receivers write; each run below it has a folder of its own."""


@dataclass(frozen=True)
class Cell:
    """A corpus sent on so many associations."""

    corpus: str
    associations: int

    def __str__(self) -> str:
        return f"{self.corpus} x{self.associations}"


SHORT = (
    *(Cell("ct", count) for count in (1, 4, 16)),
    *(Cell("sr", count) for count in (1, 4, 16)),
    *(Cell(corpus, 4) for corpus in ("mr", "j2k", "dx")),
    Cell("mf", 1),
)
FULL = (
    *(Cell(corpus, count) for corpus in ("ct", "mr", "dx", "sr", "j2k") for count in (1, 4, 16)),
    Cell("mf", 1),
    Cell("mf", 2),
)
ROUNDS, ROUNDS_FULL = 3, 5
SLOW_SHARE = 8
"""pynetdicom, far slower than storescp, gets a share of the instances: its rate needs no more."""
IN_USE_RECEIVERS = (EDGE, STORESCP, LIMIT, LIMIT_SYNCED)


def cases(*, full: bool = False) -> list[Case]:
    """Every cell with every receiver, round by round.

    `kept`: each run leaves its files and writes beside them. `in_use`: each removes them before the next
    begins, and before it as many files as an edge removes in some minutes: ext4 makes files more slowly then.
    """
    rounds = ROUNDS_FULL if full else ROUNDS
    kept = [
        Case("kept", str(cell), partial(_cell, cell, RECEIVERS, rounds)) for cell in (FULL if full else SHORT)
    ]
    in_use = [Case("in_use", str(cell), partial(_cell, cell, IN_USE_RECEIVERS, rounds)) for cell in SHORT]
    return kept + in_use


def _cell(cell: Cell, wanted: Sequence[Receiver], rounds: int) -> dict[str, Any]:
    console, keep = Console(), wanted == RECEIVERS
    missing = {receiver.name: receiver.missing for receiver in wanted if receiver.missing}
    for name, why in missing.items():
        console.print(f"[bold yellow]Not measured: {name}: {why}")
    receivers = [receiver for receiver in wanted if not receiver.missing]
    runs: dict[str, list[Run]] = {receiver.name: [] for receiver in receivers}
    with TemporaryDirectory(dir=SCRATCH) as name:
        folder = Path(name)
        template = write_template(CORPORA[cell.corpus], folder)
        for _ in range(rounds):
            for receiver in receivers:
                instances = _instances(cell, receiver)
                found = run_once(receiver, template, cell.associations, instances, folder, keep=keep)
                runs[receiver.name].append(found)
    medians = {name: _median(found) for name, found in runs.items()}
    ratios = _ratios(medians)
    _show(cell, template, medians, ratios, console)
    return {
        "rounds": rounds,
        "missing": missing,
        "corpus": cell.corpus,
        "bytes": template.bytes,
        "associations": cell.associations,
        "receivers": {name: as_figures(found) for name, found in medians.items()},
        "ratios": ratios,
    }


def _instances(cell: Cell, receiver: Receiver) -> int:
    """At least one on each association."""
    instances = CORPORA[cell.corpus].instances
    if receiver == PYNETDICOM:
        instances //= SLOW_SHARE
    return max(instances, cell.associations)


def _median(runs: list[Run]) -> Run:
    return Run(*(median(getattr(run, name) for run in runs) for name in Run.__dataclass_fields__))


def _ratios(medians: dict[str, Run]) -> dict[str, float]:
    """Of instances per second: each receiver to storescp, the edge also to the limit with one sync.

    `cpu`: of processor time an instance, all processes counted.
    """
    found = {}
    for name, figures in medians.items():
        if (peer := medians.get(STORESCP.name)) and name != STORESCP.name:
            found[f"{name} / {STORESCP.name}"] = figures.instances_per_second / peer.instances_per_second
    edge = medians[EDGE.name]
    for limit in (LIMIT, LIMIT_SYNCED):
        ratio = edge.instances_per_second / medians[limit.name].instances_per_second
        found[f"{EDGE.name} / {limit.name}"] = ratio
    if peer := medians.get(STORESCP.name):
        found["cpu: edge / storescp tuned"] = (edge.cpu_ms + edge.apart_cpu_ms) / peer.cpu_ms
    return {name: round(ratio, 3) for name, ratio in found.items()}


def _show(
    cell: Cell, template: Template, medians: dict[str, Run], ratios: dict[str, float], console: Console
) -> None:
    table = Table(
        *("receiver", "ratio to storescp", "CPU ms an instance", "memory (PSS) MiB"),
        title=f"{cell.corpus} ×{cell.associations}, {template.bytes / 1e6:.2f} MB an instance",
    )
    for name, figures in medians.items():
        ratio = 1.0 if name == STORESCP.name else ratios.get(f"{name} / {STORESCP.name}")
        table.add_row(
            name,
            "-" if ratio is None else f"{ratio:.2f}",
            f"{figures.cpu_ms + figures.apart_cpu_ms:.2f}",
            f"{figures.pss:.0f}",
        )
    console.print(table)
