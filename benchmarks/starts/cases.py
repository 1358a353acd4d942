"""Migrations with and without bundles, a hospital's day with and without a migration behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from statistics import mean, median, quantiles
from typing import Any

from benchmarks.kept import Case
from benchmarks.starts import rows
from benchmarks.starts.arrivals import (
    BULK,
    DAY_SECONDS,
    HOURS,
    LIVE,
    Series,
    ct_archive,
    hospital_day,
    large_series,
    one_by_one,
    radiography_archive,
)
from benchmarks.starts.clock import index
from benchmarks.starts.service import HealthImaging
from benchmarks.starts.simulation import Simulation
from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.contracts.platform import quotas
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.operators.forecast import ASSUMED_SECONDS_A_FILE
from local.postgres.server import Postgres

ARCHIVES: dict[str, tuple[str, Callable[[], Iterator[list[Series]]]]] = {
    "ct": ("series of 100 instances (CT)", ct_archive),
    "radiography": ("studies of 2 to 20 instances (CR, DX, US)", radiography_archive),
}
TEN_MILLION = 10_000_000
ROUND = quotas.IMPORTS_AT_ONCE - kept_for_live(quotas.IMPORTS_AT_ONCE)
FIRST_ROUND, WATCHED, WATCHED_FULL = ROUND, ROUND, 3 * ROUND
"""Imports: until each slot of a migration was used once, and whole rounds that are watched after that."""
MOST_SECONDS = 6 * 3600
HOURS_SHORT = 1
MIGRATION_BEGINS_EARLIER = 3600


def cases(*, full: bool = False) -> list[Case]:
    """Each archive and each day for each assumption; `full`: more rounds, and the whole day, not one hour."""
    watched, hours = (WATCHED_FULL, HOURS) if full else (WATCHED, HOURS_SHORT)
    migrations = [
        Case(
            "migrations",
            f"{archive} {seconds} {'shared' if bundles else 'alone'}",
            partial(_migration, archive, seconds, bundles=bundles, watched=watched),
        )
        for archive in ARCHIVES
        for seconds in ASSUMED_SECONDS_A_FILE
        for bundles in (True, False)
    ]
    days = [
        Case(
            "days",
            f"{seconds} {'migration' if migration else 'quiet'}",
            partial(_day, seconds, migration=migration, hours=hours),
        )
        for seconds in ASSUMED_SECONDS_A_FILE
        for migration in (False, True)
    ]
    return migrations + days


def _settings(*, bundles: bool) -> SemaphoreSettings:
    return SemaphoreSettings(
        datastore_id=rows.DATASTORE,
        capacity=quotas.IMPORTS_AT_ONCE,
        start_rate=quotas.STARTS_PER_SECOND,
        start_burst=quotas.START_BURST,
        bundles=bundles,
    )


class Archive:
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


def _migration(archive: str, seconds: float, *, bundles: bool, watched: int) -> dict[str, Any]:
    """The rate in the long run: between the time when all slots are in use and the end."""
    name, transfers = ARCHIVES[archive]
    with Postgres() as server, index(server, "migration") as clocked:
        simulation = Simulation(clocked, HealthImaging(seconds), _settings(bundles=bundles))
        arriving, kept = (transfers(), 30) if bundles else (one_by_one(transfers()), 500)
        queue = Archive(simulation, arriving, kept)
        simulation.every(20, queue.top_up)
        simulation.every(120, simulation.grant)  # reclaim_import_slots does

        def imports_end(wanted: int) -> None:
            simulation.run(
                simulation.index.now + MOST_SECONDS,
                lambda: simulation.imports_ended() >= wanted,
                lambda: f"{simulation.imports_ended()} of {FIRST_ROUND + watched} imports",
            )
            if simulation.imports_ended() < wanted:
                raise AssertionError(f"{simulation.imports_ended()} of {wanted} imports in {MOST_SECONDS} s")

        imports_end(FIRST_ROUND)
        began, before = simulation.index.now, simulation.series_ended()
        imports_end(FIRST_ROUND + watched)
        took = simulation.index.now - began
        rate = (simulation.series_ended() - before) / took
        return {
            "archive": name,
            "seconds_a_file": seconds,
            "bundles": bundles,
            "series_a_start": round(mean(simulation.seen.bundle_sizes[BULK]), 1),
            "series_a_second": round(rate, 3),
            "starts_a_second": round(watched / took, 3),
            "days_for_10_million": round(TEN_MILLION / rate / 86400, 1),
            **_described(simulation),
        }


def _day(seconds: float, *, migration: bool, hours: int) -> dict[str, Any]:
    """The latency of live series: from the event to the outcome.

    A migration began an hour before the day does, and the system knows the day before that.
    """
    day, begins = hospital_day(hours, day=1), DAY_SECONDS
    with Postgres() as server, index(server, "day") as clocked:
        simulation = Simulation(clocked, HealthImaging(seconds), _settings(bundles=True))
        simulation.every(120, simulation.grant)
        latency, migrated = simulation.seen.latency, simulation.seen.series
        if migration:
            simulation.announce(hospital_day(hours))
            _pass(simulation, begins - MIGRATION_BEGINS_EARLIER)
            archive = Archive(simulation, large_series(0), 200)
            simulation.every(100, archive.top_up)
            _pass(simulation, begins)
            latency.clear()
            migrated.clear()
        simulation.announce(day)
        simulation.run(
            begins + hours * 3600 + 3600.0,
            lambda: len(latency) == len(day),
            lambda: f"{len(latency):,} of {len(day):,} live series, {migrated[BULK]:,} migrated",
        )
        if len(latency) != len(day):
            raise AssertionError(f"{len(day) - len(latency)} live series were not imported")
        return {
            "seconds_a_file": seconds,
            "hours": hours,
            "migration_behind": migration,
            "live_series": len(day),
            "latency_seconds": spread(latency),
            "series_a_start": round(mean(simulation.seen.bundle_sizes[LIVE]), 2),
            "migrated_series": migrated[BULK],
            **_described(simulation),
        }


def _pass(simulation: Simulation, until: float) -> None:
    simulation.run(until, lambda: False, lambda: "before the day")


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


def spread(values: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    if len(values) < 2:
        return {"median": round(values[0], 2), "p99": round(values[0], 2)} if values else {}
    return {"median": round(median(values), 2), "p99": round(quantiles(values, n=100)[98], 2)}
