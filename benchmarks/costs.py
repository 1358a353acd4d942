"""Scale on paper: what binds first and what it costs, from measured counts and list prices (us-east-1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PIPELINE = Path(__file__).with_name("results") / "pipeline.json"

STEP_FUNCTIONS_TRANSITION = 0.025 / 1000  # https://aws.amazon.com/step-functions/pricing/
HEALTHIMAGING_GB_MONTH = 0.105  # frequent access; an import itself is free
ENDPOINTS_MONTH = 29.0  # the minimal set of interface endpoints in two zones
# Assumed, to be checked before anything is signed:
LAMBDA_REQUEST, LAMBDA_GB_SECOND = 0.20 / 1e6, 0.0000133334  # arm64
S3_PUT, S3_GET, EVENT, S3_GB_MONTH = 0.005 / 1000, 0.0004 / 1000, 1.0 / 1e6, 0.023
AURORA_ACU_HOUR, KMS_KEY_MONTH = 0.12, 1.0

INSTANCES, SERIES_GB = 100, 0.05
"""Of the series that is reckoned with: 100 CT slices of 526 kB."""
FUNCTION_SECONDS, FUNCTION_GB = 0.5, 0.5
STEPS = 6
"""Functions that run once for a series; CheckImport runs once for each poll."""
STARTS_PER_SECOND, SLOTS = 1.0, 100
"""HealthImaging's default quotas for a data store."""
SCENARIOS = {
    "1 edge, 200 series a day": (200 / 86400, None),
    "100 edges, 200 series a day each": (20_000 / 86400, None),
    "10,000 series an hour": (10_000 / 3600, None),
    "migration of 10 million series": (STARTS_PER_SECOND, 10_000_000),
}


def run() -> dict[str, Any]:
    """The tables of docs/performance.md."""
    measured = json.loads(PIPELINE.read_text(encoding="utf-8"))
    counts = {"transitions": measured["transitions"]["median"], "polls": measured["polls"]}
    series = _per_thousand(counts)
    long = measured["by_import_seconds"]["600"]
    ten_minutes = _per_thousand({"transitions": long["transitions"], "polls": long["polls"]})
    idle = {"interface endpoints": ENDPOINTS_MONTH, "KMS key": KMS_KEY_MONTH, "Aurora, paused": 0.0}
    scenarios = {name: _scenario(rate, total) for name, (rate, total) in SCENARIOS.items()}
    console = Console()
    table = Table("per 1,000 series of 100 instances", "as measured $", "imports of ten minutes $")
    for item in series:
        table.add_row(item, f"{series[item]:.2f}", f"{ten_minutes[item]:.2f}")
    console.print(table)
    console.print(scenarios)
    return {
        "dollars_per_1000_series": series,
        "dollars_per_1000_series_with_ten_minute_imports": ten_minutes,
        "dollars_per_month_idle": idle,
        "scenarios": scenarios,
    }


def _per_thousand(counts: dict[str, float]) -> dict[str, float]:
    invocations = STEPS + counts["polls"]
    dollars = {
        "Step Functions": counts["transitions"] * STEP_FUNCTIONS_TRANSITION,
        "Lambda": invocations * (LAMBDA_REQUEST + FUNCTION_SECONDS * FUNCTION_GB * LAMBDA_GB_SECOND),
        "S3 requests of the edge": (INSTANCES + 1) * S3_PUT,
        "S3 reads by HealthImaging": INSTANCES * S3_GET,
        "EventBridge": EVENT,
    }
    dollars["all of it, storage apart"] = sum(dollars.values())
    found = {item: round(1000 * value, 3) for item, value in dollars.items()}
    found["S3 storage, a month"] = round(1000 * SERIES_GB * S3_GB_MONTH, 2)
    found["HealthImaging storage, a month"] = round(1000 * SERIES_GB * HEALTHIMAGING_GB_MONTH, 2)
    return found


def _scenario(series_per_second: float, total: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "series_per_second": round(series_per_second, 4),
        "share_of_start_quota": round(series_per_second / STARTS_PER_SECOND, 3),
        "longest_import_seconds_with_100_slots": round(SLOTS / series_per_second),
        "instances_per_second": round(series_per_second * INSTANCES, 1),
    }
    if series_per_second > STARTS_PER_SECOND:
        found["queue_grows_by_series_an_hour"] = round(3600 * (series_per_second - STARTS_PER_SECOND))
    if total is not None:
        found["days"] = round(total / STARTS_PER_SECOND / 86400, 1)
    return found
