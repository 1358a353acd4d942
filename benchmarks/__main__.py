"""Run benchmarks, keep and publish their figures: ``python -m benchmarks [--full] [NAME …]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks import costs, migration, pipeline, plots, semaphore, stages, tables
from benchmarks.database import size
from benchmarks.emulator import compare as emulator
from benchmarks.functions import cold_start, indexing
from benchmarks.receiving import compare as receiving
from benchmarks.starts import cases as starts
from benchmarks.uploading import compare as uploading
from benchmarks.uploading import line

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Benchmark:
    """`run` measures and returns its figures; one that can do more takes `full`."""

    run: Callable[..., dict[str, Any]]
    has_full: bool = False


BENCHMARKS = {
    "stages": Benchmark(stages.run),
    "receiving": Benchmark(receiving.run, has_full=True),
    "uploading": Benchmark(uploading.run),
    "line": Benchmark(line.run, has_full=True),
    "indexing": Benchmark(indexing.run),
    "cold_start": Benchmark(cold_start.run),
    "semaphore": Benchmark(semaphore.run, has_full=True),
    "starts": Benchmark(starts.run, has_full=True),
    "size": Benchmark(size.run, has_full=True),
    "pipeline": Benchmark(pipeline.run, has_full=True),
    "migration": Benchmark(migration.run, has_full=True),
    "costs": Benchmark(costs.run),
    "emulator": Benchmark(emulator.run),
}


def main(argv: list[str] | None = None) -> int:
    """Run the named ones, or all; then write the page's tables and plots again."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--full", action="store_true", help="every cell of every table; takes an hour")
    options = parser.parse_args(argv)
    names = options.names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"{', '.join(unknown)}: no such benchmark; there are {', '.join(BENCHMARKS)}")
    for name in names:
        benchmark = BENCHMARKS[name]
        full = options.full and benchmark.has_full
        figures = benchmark.run(full=full) if benchmark.has_full else benchmark.run()
        RESULTS.mkdir(exist_ok=True)
        record = {
            "benchmark": name,
            "command": f"python -m benchmarks {'--full ' * full}{name}",
            "machine": machine(),
            **figures,
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return tables.main() or plots.main()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[1], 1),
    }


if __name__ == "__main__":
    sys.exit(main())
