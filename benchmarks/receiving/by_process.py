"""Where an edge's processor time goes: ``python -m benchmarks.receiving.by_process CORPUS ASSOCIATIONS``.

Milliseconds an instance, user and system, of readers, edge and worker, until the last instance is assembled.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil

from benchmarks.processes import GONE
from benchmarks.receiving.compare import SCRATCH
from benchmarks.receiving.corpora import CORPORA, write_template
from benchmarks.receiving.receivers import EDGE, WORKER, running
from benchmarks.receiving.runs import send, settle

READERS = "edge_component.receiving.readers"
ROUNDS = 3


def main() -> int:
    """Some rounds; the median of each figure, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("associations", type=int)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    rounds = [_round(given.corpus, given.associations) for _ in range(given.rounds)]
    figures = {name: round(median(each[name] for each in rounds), 3) for name in sorted(rounds[0])}
    sys.stdout.write(f"{json.dumps(figures, indent=1)}\n")
    return 0


def _round(corpus: str, associations: int) -> dict[str, float]:
    instances = CORPORA[corpus].instances
    with TemporaryDirectory(dir=SCRATCH) as name:
        folder = Path(name)
        template = write_template(CORPORA[corpus], folder)
        with running(EDGE, folder / "edge") as edge:
            send(EDGE, edge.port, template, 1, 1, first=9_000_000)
            settle(edge.root)
            before = _spent(edge.root)
            seconds = send(EDGE, edge.port, template, associations, instances, first=0)
            settle(edge.root)
            after = _spent(edge.root)
    figures = {name: 1000 * (after[name] - before[name]) / instances for name in after}
    return {**figures, "all": sum(figures.values()), "instances a second": instances / seconds}


def _spent(root: int) -> dict[str, float]:
    """Seconds so far, by process and kind."""
    found: dict[str, float] = defaultdict(float)
    process = psutil.Process(root)
    for each in (process, *process.children(recursive=True)):
        with suppress(*GONE):
            words, times = each.cmdline(), each.cpu_times()
            name = "readers" if READERS in words else "worker" if WORKER in words else "edge"
            found[f"{name}, user"] += times.user
            found[f"{name}, system"] += times.system
    return found


if __name__ == "__main__":
    sys.exit(main())
