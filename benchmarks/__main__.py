"""Run benchmarks, keep and publish their figures: ``python -m benchmarks [--full] [NAME …]``.

Long benchmarks have cases. Each is written down as soon as it is measured, and the others keep their figures.
``python -m benchmarks --cases starts`` lists them, ``--full starts --only "days 0.1"`` runs some.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks import costs, migration, pipeline, semaphore, stages
from benchmarks.database import size
from benchmarks.emulator import compare as emulator
from benchmarks.functions import cold_start, indexing
from benchmarks.kept import Case, Kept
from benchmarks.published import plots, tables
from benchmarks.receiving import compare as receiving
from benchmarks.starts import cases as starts
from benchmarks.uploading import compare as uploading
from benchmarks.uploading import line


@dataclass(frozen=True)
class Benchmark:
    """`run` measures and returns its figures, `cases` lists parts to measure; `full`: it can do more."""

    run: Callable[..., dict[str, Any]] | None = None
    has_full: bool = False
    cases: Callable[..., list[Case]] | None = None


BENCHMARKS = {
    "stages": Benchmark(stages.run),
    "receiving": Benchmark(cases=receiving.cases, has_full=True),
    "uploading": Benchmark(uploading.run),
    "line": Benchmark(line.run, has_full=True),
    "indexing": Benchmark(indexing.run),
    "cold_start": Benchmark(cold_start.run),
    "semaphore": Benchmark(cases=semaphore.cases, has_full=True),
    "starts": Benchmark(cases=starts.cases, has_full=True),
    "size": Benchmark(size.run, has_full=True),
    "pipeline": Benchmark(pipeline.run, has_full=True),
    "migration": Benchmark(cases=migration.cases, has_full=True),
    "costs": Benchmark(costs.run),
    "emulator": Benchmark(emulator.run),
}


def main(argv: list[str] | None = None) -> int:
    """Run the named ones, or all; then write the page's tables and plots again."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--full", action="store_true", help="every cell of every table; takes an hour")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORDS", help="cases with all these words; repeatable"
    )
    parser.add_argument("--cases", action="store_true", help="list the cases, and how long each took last")
    options = parser.parse_args(argv)
    names = options.names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"{', '.join(unknown)}: no such benchmark; there are {', '.join(BENCHMARKS)}")
    cases = {name: of(full=options.full) for name in names if (of := BENCHMARKS[name].cases)}
    if options.cases:
        return _list(cases)
    for words in options.only:
        if not any(case.is_meant([words]) for several in cases.values() for case in several):
            parser.error(f"--only {words}: no such case; --cases lists them")
    kept, failed = Kept(), list[Case]()
    for name in names:
        benchmark = BENCHMARKS[name]
        full = options.full and benchmark.has_full
        command = f"python -m benchmarks {'--full ' * full}{name}"
        if benchmark.run is not None:
            kept.write(name, command, benchmark.run(full=full) if benchmark.has_full else benchmark.run())
        else:
            failed += kept.measure(name, command, cases[name], options.only)
    published = tables.main() or plots.main()
    return 1 if failed else published


def _list(cases: dict[str, list[Case]]) -> int:
    console = Console()
    for name, several in cases.items():
        known = Kept().read(name)
        for case in several:
            took = known.get(case.group, {}).get(case.name, {}).get("took_seconds")
            console.print(f"{name}: {case}" + (f" ({took} s)" if took is not None else ""), highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
