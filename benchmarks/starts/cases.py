"""Migrations with and without bundles, a hospital's day with and without a migration behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from statistics import mean, median, quantiles
from typing import Any

from rich.console import Console

from benchmarks.starts import rows
from benchmarks.starts.arrivals import (
    BULK,
    HOURS,
    LIVE,
    Series,
    ct_archive,
    hospital_day,
    large_series,
    radiography_archive,
)
from benchmarks.starts.clock import Clocked, index
from benchmarks.starts.service import HealthImaging
from benchmarks.starts.simulation import Simulation
from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.contracts.platform import quotas
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.operators.forecast import ASSUMED_SECONDS_A_FILE
from local.postgres.server import Postgres

ARCHIVES: dict[str, Callable[[], Iterator[list[Series]]]] = {
    "series of 100 instances (CT)": ct_archive,
    "studies of 2 to 20 instances (CR, DX, US)": radiography_archive,
}
TEN_MILLION = 10_000_000
ROUND = quotas.IMPORTS_AT_ONCE - kept_for_live(quotas.IMPORTS_AT_ONCE)
FIRST_ROUND, WATCHED, WATCHED_FULL = ROUND, ROUND, 3 * ROUND
"""Imports: until each slot of a migration was used once, and whole rounds that are watched after that."""
MOST_SECONDS = 6 * 3600
HOURS_SHORT = 1
WAITING = 20_000
DEEP_SECONDS = 160


def run(*, full: bool = False) -> dict[str, Any]:
    """All cases; `full`: the whole day for each assumption, else one hour of it for the middle one."""
    with Postgres() as server:
        migrations = [
            _migration(server, name, seconds, bundles=bundles, watched=WATCHED_FULL if full else WATCHED)
            for name in ARCHIVES
            for seconds in ASSUMED_SECONDS_A_FILE
            for bundles in (True, False)
        ]
        days = [
            _day(server, seconds, migration=migration, hours=HOURS if full else HOURS_SHORT)
            for seconds in (ASSUMED_SECONDS_A_FILE if full else ASSUMED_SECONDS_A_FILE[1:2])
            for migration in (False, True)
        ]
        deep = _deep(server)
    figures = {"migrations": migrations, "days": days, "deep": deep}
    Console().print(figures)
    return figures


def _settings(*, bundles: bool) -> SemaphoreSettings:
    return SemaphoreSettings(
        datastore_id=rows.DATASTORE,
        capacity=quotas.IMPORTS_AT_ONCE,
        start_rate=quotas.STARTS_PER_SECOND,
        start_burst=quotas.START_BURST,
        bundles=bundles,
    )


class _Archive:
    """Transfers that wait; more come before the queue is empty."""

    def __init__(self, simulation: Simulation, transfers: Iterator[list[Series]], starts_kept: int) -> None:
        self._simulation, self._transfers, self._kept = simulation, transfers, starts_kept
        self._queued = 0

    def top_up(self) -> None:
        """So many transfers wait at least."""
        lacking = self._kept - (self._queued - self._simulation.service.starts)
        if lacking > 0:
            self._simulation.archive(list(islice(self._transfers, lacking)))
            self._queued += lacking


def _migration(server: Postgres, name: str, seconds: float, *, bundles: bool, watched: int) -> dict[str, Any]:
    """The rate in the long run: between the time when all slots are in use and the end."""
    with index(server, f"m_{abs(hash((name, seconds, bundles)))}") as clocked:
        simulation = _simulation(clocked, seconds, bundles=bundles)
        transfers = ARCHIVES[name]()
        if not bundles:
            first = list(islice(transfers, 60))
            transfers = iter([[one] for transfer in first for one in transfer])
        archive = _Archive(simulation, transfers, 30 if bundles else 500)
        simulation.every(20, archive.top_up)
        simulation.every(120, simulation.grant)  # reclaim_import_slots does
        simulation.run(MOST_SECONDS, lambda: _imports(simulation) >= FIRST_ROUND)
        began, before = simulation.index.now, sum(simulation.seen.series.values())
        simulation.run(MOST_SECONDS, lambda: _imports(simulation) >= FIRST_ROUND + watched)
        rate = (sum(simulation.seen.series.values()) - before) / (simulation.index.now - began)
        Console().log(name, seconds, "shared" if bundles else "one a series", f"{rate:.2f} series/s")
        return _described(simulation) | {
            "archive": name,
            "seconds_a_file": seconds,
            "bundles": bundles,
            "series_a_start": round(mean(simulation.seen.bundle_sizes[BULK]), 1),
            "series_a_second": round(rate, 3),
            "starts_a_second": round(watched / (simulation.index.now - began), 3),
            "days_for_10_million": round(TEN_MILLION / rate / 86400, 1),
        }


def _imports(simulation: Simulation) -> int:
    return sum(map(len, simulation.seen.bundle_sizes.values()))


def _simulation(clocked: Clocked, seconds: float, *, bundles: bool, every_member: bool = False) -> Simulation:
    return Simulation(clocked, HealthImaging(seconds), _settings(bundles=bundles), every_member=every_member)


def _day(server: Postgres, seconds: float, *, migration: bool, hours: int) -> dict[str, Any]:
    """The latency of live series: from the event to the outcome."""
    day = hospital_day(hours)
    with index(server, f"d_{abs(hash((seconds, migration)))}") as clocked:
        simulation = _simulation(clocked, seconds, bundles=True)
        simulation.announce(day)
        if migration:
            archive = _Archive(simulation, large_series(0), 200)
            simulation.every(100, archive.top_up)
        simulation.every(120, simulation.grant)
        simulation.run(hours * 3600 + 3600.0, lambda: simulation.seen.series[LIVE] == len(day))
        latency = simulation.seen.latency
        if len(latency) != len(day):
            raise AssertionError(f"{len(day) - len(latency)} live series were not imported")
        Console().log("live series", seconds, f"migration: {migration}", _spread(latency))
        return _described(simulation) | {
            "seconds_a_file": seconds,
            "hours": hours,
            "migration_behind": migration,
            "live_series": len(day),
            "latency_seconds": _spread(latency),
            "series_a_start": round(mean(simulation.seen.bundle_sizes[LIVE]), 2),
            "migrated_series": simulation.seen.series[BULK],
        }


def _deep(server: Postgres) -> dict[str, Any]:
    """What steps cost the database while 20,000 series wait: each of them runs, none is made up."""
    with index(server, "deep") as clocked:
        simulation = _simulation(clocked, 0.02, bundles=True, every_member=True)
        transfers = ct_archive()
        waiting: list[list[Series]] = []
        while sum(map(len, waiting)) < WAITING:
            waiting.append(next(transfers))
        simulation.archive(waiting)
        live = [series for series in hospital_day(1) if series.at < DEEP_SECONDS]
        simulation.announce(live)
        simulation.every(120, simulation.grant)
        simulation.run(float(DEEP_SECONDS))
        seen = simulation.seen
        ended = sum(seen.series.values())
        spent = sum(seen.start_ms) + sum(seen.release_ms)
        return _described(simulation) | {
            "waiting": WAITING,
            "series_ended": ended,
            "grants": seen.grants,
            "grants_a_second_of_one_connection": round(seen.grants / max(0.001, seen.grant_seconds)),
            "acquire_ms": _spread(seen.acquire_ms),
            "start_ms": _spread(seen.start_ms),
            "release_ms": _spread(seen.release_ms),
            "database_ms_a_series": round(median(seen.acquire_ms) + spent / max(1, ended), 2),
        }


def _described(simulation: Simulation) -> dict[str, Any]:
    service = simulation.service
    return {
        "simulated_hours": round(simulation.index.now / 3600, 2),
        "starts": service.starts,
        "starts_throttled": service.starts_throttled,
        "most_imports_at_once": service.most_at_once,
        "refused_above_quota": service.refused,
        "reads": service.reads,
        "reads_throttled": service.reads_throttled,
        "reads_a_second": round(service.reads / simulation.index.now, 2),
        "transitions_a_series": round(simulation.transitions_a_series(), 1),
    }


def _spread(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {"median": round(values[0], 2), "p99": round(values[0], 2)} if values else {}
    return {"median": round(median(values), 2), "p99": round(quantiles(values, n=100)[98], 2)}
