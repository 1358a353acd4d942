"""The figures in benchmarks/results: a file for each benchmark, written again after each of its cases."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Case:
    """A part of a benchmark that is measured, and kept, by itself."""

    group: str
    name: str
    run: Callable[[], dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.group} {self.name}"

    def is_meant(self, only: Sequence[str]) -> bool:
        """Whether it has all words of one of these, or there are none."""
        return not only or any(set(words.split()) <= set(str(self).split()) for words in only)


@dataclass(frozen=True)
class Kept:
    """A folder of results."""

    folder: Path = RESULTS

    def read(self, benchmark: str) -> dict[str, Any]:
        """What is known of a benchmark; nothing if it was never measured."""
        path = self._path(benchmark)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found

    def write(self, benchmark: str, command: str, figures: dict[str, Any]) -> None:
        """Write a benchmark's figures, with what they were measured on: all of them or nothing."""
        record = {"benchmark": benchmark, "command": command, "machine": machine(), **figures}
        self.folder.mkdir(exist_ok=True)
        part = self._path(benchmark).with_suffix(".part")
        part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        part.replace(self._path(benchmark))

    def measure(self, benchmark: str, command: str, cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
        """Measure the cases that are meant; of all others, and of those that fail, the figures stay.

        Returned are those that failed; each has said why.
        """
        console, failed = Console(), list[Case]()
        meant = [case for case in cases if case.is_meant(only)]
        for number, case in enumerate(meant, start=1):
            console.rule(f"{benchmark}, {number} of {len(meant)}: {case}")
            began = time.monotonic()
            try:
                figures = case.run()
            except Exception:  # noqa: BLE001 - printed; the others are measured, and the exit code is 1
                console.print_exception()
                failed.append(case)
                continue
            took = round(time.monotonic() - began)
            figures |= {"took_seconds": took, "command": command, "machine": machine()}
            console.print(figures)
            self._merge(benchmark, command, cases, case, figures)
        return failed

    def _merge(
        self, benchmark: str, command: str, cases: Sequence[Case], case: Case, figures: dict[str, Any]
    ) -> None:
        known, groups = self.read(benchmark), dict[str, dict[str, Any]]()
        for each in cases:
            found = figures if each == case else known.get(each.group, {}).get(each.name)
            if found is not None:
                groups.setdefault(each.group, {})[each.name] = found
        self.write(benchmark, command, groups)

    def _path(self, benchmark: str) -> Path:
        return self.folder / f"{benchmark}.json"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[1], 1),
    }
