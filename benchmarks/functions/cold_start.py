"""What importing each handler costs: wall and processor time of fresh interpreters, and what they import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

FUNCTIONS = Path(__file__).parents[2] / "functions"
ROUNDS = 7
UNWANTED = ("pydicom", "pynetdicom", "numpy", "aws_xray_sdk", "moto")
"""A handler must not import these; the tracer is aws_xray_sdk."""
MEASURE = """
import sys, time
wall, cpu = time.perf_counter(), time.process_time()
import functions.{name}.handler
print(time.perf_counter() - wall, time.process_time() - cpu, len(sys.modules))
print(*[name for name in {unwanted} if name in sys.modules])
"""


def run() -> dict[str, Any]:
    """Every function, interleaved; medians. Bytecode is compiled beforehand, as in a Lambda layer."""
    names = sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))
    runs: dict[str, list[dict[str, Any]]] = {name: [_measure(name)] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            runs[name].append(_measure(name))
    figures = {name: _median(found[1:]) for name, found in runs.items()}
    table = Table("function", "wall ms", "CPU ms", "modules", "imports most", title="cold start: import")
    for name, row in figures.items():
        row["most"] = _most(name)
        most = ", ".join(f"{package} {ms:.0f} ms" for package, ms in row["most"].items())
        table.add_row(name, f"{row['wall_ms']:.0f}", f"{row['cpu_ms']:.0f}", str(row["modules"]), most)
    Console().print(table)
    return {"rounds": ROUNDS, "unwanted": list(UNWANTED), "functions": figures}


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "POWERTOOLS_SERVICE_NAME": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )


def _measure(name: str) -> dict[str, Any]:
    first, second = _python("-c", MEASURE.format(name=name, unwanted=UNWANTED)).stdout.splitlines()
    wall, cpu, modules = first.split()
    return {
        "wall_ms": 1000 * float(wall),
        "cpu_ms": 1000 * float(cpu),
        "modules": int(modules),
        "unwanted": second.split(),
    }


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "wall_ms": round(median(row["wall_ms"] for row in rows), 1),
        "cpu_ms": round(median(row["cpu_ms"] for row in rows), 1),
        "modules": rows[0]["modules"],
        "unwanted": rows[0]["unwanted"],
    }


def _most(name: str) -> dict[str, float]:
    """The five packages whose own modules take longest to import, in ms (-X importtime)."""
    lines = _python("-X", "importtime", "-c", f"import functions.{name}.handler").stderr.splitlines()
    packages: dict[str, float] = {}
    for line in lines:
        own, _, module = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            package = module.strip().partition(".")[0]
            packages[package] = packages.get(package, 0.0) + int(own) / 1000
    largest = sorted(packages.items(), key=lambda item: -item[1])[:5]
    return {package: round(ms, 1) for package, ms in largest}
