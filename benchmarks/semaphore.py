"""The import semaphore while 20,000 wait: its rules, the cost of its steps; with shared imports and without.

Real PostgreSQL and the functions' own code; the clock is simulated, and how long an import takes is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.kept import Case
from benchmarks.starts import rows
from benchmarks.starts.arrivals import BULK, Series, ct_archive, hospital_day, one_by_one
from benchmarks.starts.cases import Archive, spread
from benchmarks.starts.clock import Clocked, index
from benchmarks.starts.service import HealthImaging
from benchmarks.starts.simulation import Simulation
from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.starts import Pace
from local.postgres.server import Postgres

WAITING, CAPACITY, RATE = 20_000, 100, 1.0
IMPORTS, IMPORTS_FULL = 100, 500
"""So many end."""
MOST_SECONDS = 3600
SAME_SERIES, SAME_UID = 500, 999_999_999
"""Every so many tickets belong to one series: its parts must follow each other."""
SECONDS_A_FILE = {"alone": 2.0, "shared": 0.1}
"""So long that slots are scarce, too."""


def cases(*, full: bool = False) -> list[Case]:
    """One import for each series, and one for all series of a transfer."""
    imports = IMPORTS_FULL if full else IMPORTS
    return [
        Case("ways", name, partial(_drain, imports, bundles=bundles))
        for name, bundles in (("alone", False), ("shared", True))
    ]


_STATE = """
SELECT count(*) FILTER (WHERE j.own_slot) AS slots, count(*) FILTER (WHERE j.holds_slot) AS holders,
    count(DISTINCT j.series_instance_uid) FILTER (WHERE j.holds_slot) AS series,
    count(*) FILTER (WHERE j.state = 'WAITING' AND j.priority = 0) AS live_waiting,
    count(*) FILTER (WHERE j.own_slot AND j.priority > 0) AS bulk_slots,
    (SELECT next_start FROM semaphore) AS next_start,
    (SELECT max(n) FROM semaphore, unnest(live_needs) n) AS needed
FROM ahlijob j WHERE j.holds_slot OR (j.state = 'WAITING' AND j.priority = 0)
"""


@dataclass
class Violations:
    """Of the semaphore's rules: all of them must be 0."""

    over_capacity: int = 0
    out_of_order: int = 0
    series_twice: int = 0
    idle_slots: int = 0
    started_too_early: int = 0


class Watched(Simulation):
    """Each grant step is judged, after its time was taken."""

    def __init__(self, clocked: Clocked, *, bundles: bool) -> None:
        settings = SemaphoreSettings(
            datastore_id=rows.DATASTORE, capacity=CAPACITY, start_rate=RATE, start_burst=1, bundles=bundles
        )
        seconds = SECONDS_A_FILE["shared" if bundles else "alone"]
        super().__init__(clocked, HealthImaging(seconds), settings, every_member=True)
        self.violations = Violations()
        self._last: dict[int, int] = {}
        self._starts: list[float] = []

    def _deliver(self, granted: list[Ticket]) -> None:
        for ticket in granted:
            self._in_order(ticket)
        self._judge()
        super()._deliver(granted)

    def _in_order(self, ticket: Ticket) -> None:
        (series, *_) = members = self._of(ticket)
        if ticket.start_at is None:
            raise AssertionError("a grant without a start")
        self._starts.append(ticket.start_at.timestamp())
        # Parts of the one series wait for each other and are overtaken: that is the rule.
        if all(member.uid != SAME_UID for member in members):
            self.violations.out_of_order += ticket.pk < self._last.get(series.priority, 0)
            self._last[series.priority] = ticket.pk

    def _judge(self) -> None:
        with self.index.transaction() as connection:
            (now,) = connection.run(_STATE)
        self.violations.over_capacity += now["slots"] > CAPACITY
        self.violations.series_twice += now["series"] != now["holders"]
        bulk, usable = not now["live_waiting"], now["slots"] < CAPACITY
        if bulk:
            usable = usable and now["bulk_slots"] < CAPACITY - kept_for_live(CAPACITY, now["needed"])
        start_is_near = Pace(RATE, 1, now["next_start"]).is_near(self.index.moment, bulk=bulk)
        self.violations.idle_slots += usable and start_is_near

    def judged(self) -> dict[str, int]:
        """How often each rule was violated."""
        early = [a for a, b in pairwise(sorted(self._starts)) if b - a < 1 / RATE]
        return asdict(replace(self.violations, started_too_early=len(early)))


def _drain(imports: int, *, bundles: bool) -> dict[str, Any]:
    """Let imports end, while series of an archive come after, and live ones before them."""
    with Postgres() as server, index(server, "semaphore") as clocked:
        simulation = Watched(clocked, bundles=bundles)
        transfers = _some_of_one_series(ct_archive())
        waiting = round(WAITING / len(next(ct_archive()))) if bundles else WAITING
        archive = Archive(simulation, transfers if bundles else one_by_one(transfers), waiting)
        simulation.every(20, archive.top_up)
        simulation.announce(hospital_day(1))
        simulation.every(120, simulation.grant)
        simulation.run(
            MOST_SECONDS,
            lambda: simulation.imports_ended() >= imports,
            lambda: f"{simulation.imports_ended()} of {imports} imports",
        )
        return _figures(simulation, bundles=bundles)


def _some_of_one_series(transfers: Iterator[list[Series]]) -> Iterator[list[Series]]:
    for several in transfers:
        yield [replace(one, uid=None if one.number % SAME_SERIES else SAME_UID) for one in several]


def _figures(simulation: Watched, *, bundles: bool) -> dict[str, Any]:
    seen, service = simulation.seen, simulation.service
    ended = simulation.series_ended()
    steps = sum(seen.start_ms) + sum(seen.release_ms)
    return {
        "waiting": WAITING,
        "capacity": CAPACITY,
        "starts_per_second_allowed": RATE,
        "bundles": bundles,
        "violations": simulation.judged(),
        "simulated_hours": round(simulation.index.now / 3600, 2),
        "starts": service.starts,
        "starts_per_simulated_second": round(service.starts / simulation.index.now, 3),
        "series_ended": ended,
        "migrated_series_ended": seen.series[BULK],
        "grants": seen.grants,
        "grants_a_second_of_one_connection": round(seen.grants / max(0.001, seen.grant_seconds), 1),
        "acquire_ms": spread(seen.acquire_ms),
        "start_ms": spread(seen.start_ms),
        "release_ms": spread(seen.release_ms),
        "database_ms_a_series": round(median(seen.acquire_ms) + steps / max(1, ended), 2),
    }
