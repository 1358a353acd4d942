"""Scale on paper: what binds first and what it costs, from measured counts and list prices (us-east-1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dicom_ingest.healthimaging.polling import most_polls
from dicom_ingest.operators.forecast import (
    ASSUMED_SECONDS_A_FILE,
    Archive,
    forecast,
    import_seconds,
    series_per_start,
)
from statemachines.history import ordinary

PIPELINE = Path(__file__).with_name("results") / "pipeline.json"

STEP_FUNCTIONS_TRANSITION = 0.025 / 1000  # https://aws.amazon.com/step-functions/pricing/
HEALTHIMAGING_GB_MONTH = 0.105  # frequent access; an import itself is free
ENDPOINT_MONTH = 14.60  # an interface endpoint in two zones; the stack has three
# Assumed, to be checked before anything is signed:
LAMBDA_REQUEST, LAMBDA_GB_SECOND = 0.20 / 1e6, 0.0000133334  # arm64
S3_PUT, S3_GET, EVENT, S3_GB_MONTH = 0.005 / 1000, 0.0004 / 1000, 1.0 / 1e6, 0.023
AURORA_ACU_HOUR, KMS_KEY_MONTH = 0.12, 1.0
ALARM_MONTH, DASHBOARD_MONTH, SECRET_MONTH = 0.10, 3.0, 0.40

INSTANCES, SERIES_GB = 100, 0.05
"""Of the series in the calculation: 100 CT slices of 526 kB."""
FUNCTION_SECONDS, FUNCTION_GB = 0.5, 0.5
STEPS = 6
"""Functions that run once for a series; CheckImport runs once for each poll."""
STARTS_PER_SECOND, SLOTS = 1.0, 100
"""HealthImaging's default quotas for a data store."""
ARCHIVE = Archive(10_000_000, 10_000_000 * INSTANCES, int(10_000_000 * SERIES_GB * 1e9))
SHARING = series_per_start(ARCHIVE, None, bundles=True)
"""Series of a migration that share a start."""
SERIES_A_STUDY = 8
"""Live series that share a start when starts are scarce: those of a study."""
USUAL_POLLS = 2
"""Of an import of 5 to 14 s."""
HELD_SECONDS = 74
"""How long a slot is held for an import of a minute: it is looked at 4, 14, 34 and 74 s after its start."""
LAMBDA_CONCURRENCY, NEW_ACCOUNT_CONCURRENCY = 1000, 10
TRANSITIONS_PER_SECOND = 5000  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
ACU_CORES, LEAST_ACU = 0.25, 0.5
"""Assumed: an Aurora capacity unit as a part of a core of the machine that was measured on."""
MONTH_SECONDS = 30 * 86400


@dataclass(frozen=True)
class Scenario:
    """`awake`: the part of the day in which Aurora does not pause. `total`: series of a migration.

    `sharing`: series that share a start.
    """

    series_per_second: float
    awake: float = 1
    total: int | None = None
    sharing: float = 1


SCENARIOS = {
    "1 edge, 200 series a day": Scenario(200 / 86400, awake=0.5),
    "100 edges, 200 series a day each": Scenario(20_000 / 86400),
    "10,000 series an hour": Scenario(10_000 / 3600, sharing=SERIES_A_STUDY),
    "migration of 10 million series, one import each": Scenario(STARTS_PER_SECOND, total=ARCHIVE.series),
    **{
        f"migration of 10 million series, {seconds} s a file": Scenario(
            forecast(ARCHIVE, seconds).series_per_second, total=ARCHIVE.series, sharing=SHARING
        )
        for seconds in ASSUMED_SECONDS_A_FILE
    },
}


def run() -> dict[str, Any]:
    """The tables of docs/performance.md."""
    measured = json.loads(PIPELINE.read_text(encoding="utf-8"))
    counts = {"transitions": ordinary(USUAL_POLLS).transitions, "polls": USUAL_POLLS}
    series = _per_thousand(counts)
    ten_minutes = _per_thousand(measured["by_import_seconds"]["600"])
    shared = _per_thousand(_shared())
    idle = {
        "three interface endpoints": round(3 * ENDPOINT_MONTH, 2),
        "KMS key": KMS_KEY_MONTH,
        "20 alarms and the dashboard": 20 * ALARM_MONTH + DASHBOARD_MONTH,
        "two secrets": 2 * SECRET_MONTH,
        "Aurora, paused": 0.0,
    }
    limits = _limits(counts)
    database_seconds = measured["processor_milliseconds_a_series"]["postgres"] / 1000
    scenarios = {
        name: _scenario(
            scenario,
            limits,
            (shared if scenario.sharing == SHARING else series)["all of it, storage apart"] / 1000,
            database_seconds,
        )
        for name, scenario in SCENARIOS.items()
    }
    console = Console()
    table = Table("per 1,000 series of 100 instances", "imports of seconds $", "imports of ten minutes $")
    for item in series:
        table.add_row(item, f"{series[item]:.2f}", f"{ten_minutes[item]:.2f}")
    console.print(table)
    console.print(limits, scenarios)
    return {
        "dollars_per_1000_series": series,
        "dollars_per_1000_series_with_ten_minute_imports": ten_minutes,
        "dollars_per_1000_series_with_shared_imports": shared,
        "series_that_share_a_start": SHARING,
        "transitions_of_a_series_with_shared_imports": round(_shared()["transitions"], 2),
        "dollars_per_month_idle": idle,
        "most_series_per_second": limits,
        "scenarios": scenarios,
    }


def _shared() -> dict[str, float]:
    """Of a series of a migration: its part of the polls of an import that many share."""
    seconds = import_seconds(SHARING * INSTANCES, ASSUMED_SECONDS_A_FILE[0])
    polls = most_polls(seconds, shared=True) / SHARING
    each = ordinary(1).transitions - ordinary(0).transitions
    return {"transitions": ordinary(0).transitions + each * polls, "polls": polls}


def _limits(counts: Mapping[str, float]) -> dict[str, float]:
    """How many series a second each quota allows, the narrowest first."""
    busy = (STEPS + counts["polls"]) * FUNCTION_SECONDS
    found = {
        "HealthImaging starts, 1 a second and data store, one series a start": STARTS_PER_SECOND,
        f"the same, {SERIES_A_STUDY} series of a study a start": STARTS_PER_SECOND * SERIES_A_STUDY,
        f"the same, {SHARING:.0f} series of a transfer a start": STARTS_PER_SECOND * SHARING,
        f"HealthImaging slots, {SLOTS}, imports of a minute": SLOTS / HELD_SECONDS,
        f"Lambda concurrency of a new account, {NEW_ACCOUNT_CONCURRENCY}": NEW_ACCOUNT_CONCURRENCY / busy,
        f"Lambda concurrency, {LAMBDA_CONCURRENCY:,}": LAMBDA_CONCURRENCY / busy,
        f"Step Functions transitions, {TRANSITIONS_PER_SECOND:,} a second": TRANSITIONS_PER_SECOND
        / counts["transitions"],
    }
    return {name: round(found[name], 2) for name in sorted(found, key=lambda name: found[name])}


def _per_thousand(counts: Mapping[str, float]) -> dict[str, float]:
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


def _scenario(
    scenario: Scenario, limits: dict[str, float], dollars_a_series: float, database_seconds: float
) -> dict[str, Any]:
    rate = scenario.series_per_second
    most = STARTS_PER_SECOND * scenario.sharing
    through = min(rate, most)
    seconds = scenario.total / through if scenario.total else MONTH_SECONDS
    units = max(LEAST_ACU, rate * database_seconds / ACU_CORES)
    database = units * AURORA_ACU_HOUR * scenario.awake * seconds / 3600
    fixed = (3 * ENDPOINT_MONTH + KMS_KEY_MONTH) * seconds / MONTH_SECONDS
    stored = rate * seconds * SERIES_GB
    found: dict[str, Any] = {
        "series_per_second": round(rate, 4),
        "binds_first": next(iter(limits)),
        "share_of_start_quota": round(rate / most, 3),
        "longest_held_seconds_with_100_slots": round(SLOTS / rate * scenario.sharing),
        "instances_per_second": round(rate * INSTANCES, 1),
        "megabits_per_second": round(rate * SERIES_GB * 8000, 1),
        "aurora_capacity_units": round(units, 2),
        "for": f"{seconds / 86400:.0f} days",
        "dollars": round(rate * seconds * dollars_a_series + database + fixed),
        "dollars_a_month_to_keep_it": round(stored * (S3_GB_MONTH + HEALTHIMAGING_GB_MONTH)),
    }
    if rate > most:
        found["queue_grows_by_series_an_hour"] = round(3600 * (rate - most))
    return found
