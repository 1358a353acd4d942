"""Draw the plots of docs/performance.md from benchmarks/results: ``python -m benchmarks.published.plots``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.published.charts import Group, Mark, bars, curves

RESULTS = Path(__file__).parents[1] / "results"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PEER = " / storescp tuned"


def main() -> int:
    """Write all of them."""
    for name, text in plots().items():
        (PICTURES / name).write_text(text, encoding="utf-8")
    return 0


def plots() -> dict[str, str]:
    """Every plot by its file's name."""
    return {
        f"performance-{name}.svg": draw(json.loads((RESULTS / f"{results}.json").read_text(encoding="utf-8")))
        for name, (results, draw) in PLOTS.items()
    }


def _receiving(results: dict[str, Any]) -> str:
    cells = list(results["kept"].values())
    names = _names(cell["ratios"] for cell in cells)
    names = [name for name in names if name.endswith(PEER) and not name.startswith("cpu")]
    return bars(
        "Instances received per second, ratio to storescp tuned",
        "A group for each kind of object and number of associations; 1 is DCMTK's storescp",
        [name.removesuffix(PEER) for name in names],
        [
            Group(f"{cell['corpus']} ×{cell['associations']}", [cell["ratios"].get(name) for name in names])
            for cell in cells
        ],
        Mark(1, "storescp tuned"),
    )


def _uploading(results: dict[str, Any]) -> str:
    ways = _names(cell["ratios"] for cell in results["cells"])
    return bars(
        "Objects uploaded per second of processor time, ratio to boto3's upload_file",
        "A group for each kind of object and number in flight; 1 is boto3's upload_file",
        ways,
        [
            Group(
                f"{cell['objects']}, {cell['in_flight']} in flight",
                [cell["ratios"].get(way, {}).get("per_core") for way in ways],
            )
            for cell in results["cells"]
        ],
        Mark(1, "upload_file"),
    )


def _indexing(results: dict[str, Any]) -> str:
    return curves(
        "index_series: seconds by number of instances",
        "Wall and processor time of the first invocation in a fresh process",
        ("seconds", "of them processor time of the function"),
        [
            Group(f"{row['instances']:,}", (row["seconds"], row["cpu_seconds"]))
            for row in results["series"]
            if row["instances"] >= CURVE_FROM
        ],
        "instances",
    )


def _cold_start(results: dict[str, Any]) -> str:
    return bars(
        "Importing a handler: processor time in ms",
        "A bar for each function; the goal is below 300 ms",
        ("processor ms",),
        [Group(name, (row["cpu_ms"],)) for name, row in results["functions"].items()],
        Mark(300, "goal"),
    )


def _stages(results: dict[str, Any]) -> str:
    return bars(
        f"{results['series']} series of 4 instances through the local pipeline: median seconds",
        "A bar for each stage of a series' way",
        ("median seconds",),
        [Group(stage, (seconds,)) for stage, seconds in results["median_seconds_by_stage"].items()],
    )


def _parts(results: dict[str, Any]) -> str:
    return bars(
        "Processor time of the local pipeline, ms a series of 4 instances",
        "A bar for each part; moto executes the workflow and is S3, EventBridge and SQS",
        ("ms",),
        [Group(part, (spent,)) for part, spent in results["processor_milliseconds_a_series"].items()],
    )


def _names(mappings: Any) -> list[str]:
    """Every name in any of them, in order of appearance."""
    found: dict[str, None] = {}
    for mapping in mappings:
        found |= dict.fromkeys(mapping)
    return list(found)


CURVE_FROM = 100
"""One instance lies on a hundred at this scale."""
PLOTS: Mapping[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "receiving": ("receiving", _receiving),
    "uploading": ("uploading", _uploading),
    "indexing": ("indexing", _indexing),
    "cold-start": ("cold_start", _cold_start),
    "pipeline": ("pipeline", _stages),
    "pipeline-processor": ("pipeline", _parts),
}

if __name__ == "__main__":
    sys.exit(main())
