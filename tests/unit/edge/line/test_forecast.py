"""Hours before: when the disk will be full, and when the backlog will be gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_component.journal.channels import Channel
from edge_component.line.forecast import Forecast, forecast
from edge_component.line.rates import Look, Rates, Smoothed
from edge_component.line.timetable import HORIZON_SECONDS, Stretch
from edge_component.receiving.watermark import Disk, Watermark
from edge_component.watching.foresight import Foresight
from edge_component.watching.status import Backlog
from tests.support.edge.stand_ins import Clock, settings
from tests.unit.edge.line.test_line import BERLIN, at

HOUR, GB, MB = 3600.0, 10**9, 10**6
ALWAYS = [(0.0, HORIZON_SECONDS, None)]


def ahead(*stretches: tuple[float, float | None]) -> list[Stretch]:
    """Hours and their limit, one after another."""
    found: list[Stretch] = []
    start = 0.0
    for hours, limit in stretches:
        found.append((start, start + hours * HOUR, limit))
        start += hours * HOUR
    return found


def test_more_in_than_out_fills_the_disk() -> None:
    found = forecast(10 * GB, 36 * GB, 12 * MB, ALWAYS, lambda _limit: 2 * MB)
    assert [found.full_at, found.empty_at] == [pytest.approx(HOUR), None]
    assert found.hours_until_full(0.0) == pytest.approx(1)


def test_more_out_than_in_empties_the_backlog() -> None:
    found = forecast(36 * GB, GB, 2 * MB, ALWAYS, lambda _limit: 12 * MB)
    assert [found.full_at, found.empty_at] == [None, pytest.approx(HOUR)]
    assert found.hours_until_full(0.0) is None


def test_a_night_that_will_be_paused_counts_before_it_begins() -> None:
    """Two hours of evening take 28.8 GB off; eight hours without a line bring 57.6 GB."""
    line = {None: 6 * MB, 0.0: 0.0}
    night = ahead((2, None), (8, 0.0), (100, None))
    found = forecast(40 * GB, 20 * GB, 2 * MB, night, line.get)
    assert found.full_at == pytest.approx(2 * HOUR + 48.8 * GB / (2 * MB))
    assert found.full_at is not None
    assert found.empty_at is not None
    assert found.empty_at > found.full_at
    without = forecast(40 * GB, 20 * GB, 2 * MB, ALWAYS, line.get)
    assert [without.full_at, without.empty_at] == [None, pytest.approx(1e4)]


def test_what_is_full_is_full_now_and_the_backlog_still_ends() -> None:
    found = forecast(GB, 0, MB, ahead((1, 0.0), (100, None)), {None: 2 * MB, 0.0: 0.0}.get)
    assert [found.full_at, found.empty_at] == [0.0, pytest.approx(HOUR + 1000)]


def test_what_is_not_known_is_not_said() -> None:
    assert forecast(GB, GB, MB, ALWAYS, lambda _limit: None) == Forecast()


def test_a_smoothed_rate_is_right_from_the_first_second_and_follows_what_changes() -> None:
    rate = Smoothed(900)
    for _ in range(60):
        rate.add(5 * MB, 1)
    assert rate.rate == pytest.approx(5 * MB)
    rate.add(500 * MB, 1)  # a burst is no trend
    assert rate.rate < 15 * MB
    for _ in range(3600):
        rate.add(0, 1)
    assert rate.rate < MB / 2


def looks(rates: Rates, seconds: int, incoming: int, outgoing: int, **given: Any) -> None:
    """So many seconds, in bytes a second."""
    last = rates._last or Look(0.0, 0, 0, 0, None, behind=True)
    for second in range(1, seconds + 1):
        rates.look(
            Look(
                last.at + second,
                last.received + second * incoming,
                last.received_bulk + second * given.get("bulk", 0),
                last.backlog + second * (incoming - outgoing),
                given.get("limit"),
                given.get("behind", True),
            )
        )


def test_what_the_line_does_is_learned_for_each_limit_and_only_while_something_waits() -> None:
    rates = Rates(900)
    looks(rates, 300, 3 * MB, 3 * MB, behind=False)
    assert rates.incoming == pytest.approx(3 * MB)
    assert rates.outgoing(None) is None
    looks(rates, 30, 9 * MB, 6 * MB)
    assert rates.outgoing(None) is None  # too short to know
    looks(rates, 300, 9 * MB, 6 * MB)
    assert rates.outgoing(None) == pytest.approx(6 * MB)
    assert rates.outgoing(8) == MB  # eight Mbit/s
    assert rates.outgoing(80) == pytest.approx(6 * MB)  # more than the line has
    looks(rates, 300, 9 * MB, MB // 2, limit=8)
    assert rates.outgoing(8) == pytest.approx(MB / 2)
    assert rates.outgoing(None) == pytest.approx(6 * MB)


def test_a_pause_of_bulk_senders_lets_live_bytes_go() -> None:
    rates = Rates(900)
    looks(rates, 300, 9 * MB, 6 * MB, bulk=7 * MB)
    assert rates.outgoing(0) == pytest.approx(2 * MB)
    everything = Rates(900, "all")
    looks(everything, 300, 9 * MB, 6 * MB, bulk=7 * MB)
    assert everything.outgoing(0) == 0


def test_what_goes_out_in_a_pause_is_never_less_than_nothing() -> None:
    """What came and what came from `bulk` senders are counted a moment apart."""
    rates = Rates(900.0)
    looks(rates, 900, incoming=100, outgoing=0, bulk=101)
    assert rates.outgoing(0) == 0.0


def test_another_journal_and_a_clock_that_stands_still_teach_nothing() -> None:
    rates = Rates(900)
    looks(rates, 100, MB, 0)
    for look in (Look(100.0, 10**12, 0, 0, None, behind=True), Look(101.0, 5, 0, 0, None, behind=True)):
        rates.look(look)
    assert rates.incoming == pytest.approx(MB)


class Numbers:
    """A journal that is told what it says."""

    def __init__(self) -> None:
        self.received, self.held, self.oldest_at = 0, 0, None  # type: int, int, float | None

    def counters(self) -> dict[str, int]:
        return {"bytes_received": self.received}

    def backlog(self) -> Backlog:
        return Backlog(1, self.held, self.oldest_at, 0, 1, 0)

    def channels(self) -> list[Channel]:
        return [Channel("upload", oldest_at=self.oldest_at)]


class Watched:
    """An edge whose disk takes 100 GB, looked at each second."""

    def __init__(self, root: Path, moment: str, **changes: Any) -> None:
        self.clock, self.numbers = Clock(at(moment)), Numbers()
        given = settings(root, disk_reserve_bytes=0, time_zone=BERLIN, **changes)
        self._watermark = Watermark(given, lambda: 0, lambda _path: Disk(100 * GB, 100 * GB))
        self.foresight = Foresight(
            given, self.numbers, self._watermark, lambda: 0, self.clock, self.clock.monotonic
        )

    def run(self, seconds: int, incoming: int, outgoing: int, waiting: float = 600) -> dict[str, Any]:
        for _ in range(seconds):
            self.clock.now += 1
            self.numbers.received += incoming
            self.numbers.held += incoming - outgoing
            self.numbers.oldest_at = self.clock.now - waiting
            self.foresight.run_once()
        return self.foresight.facts()


def test_an_edge_warns_when_its_disk_will_be_full_before_its_backlog_is_gone(tmp_path: Path) -> None:
    edge = Watched(tmp_path, "2026-11-23 12:00", full_warning_hours=6)
    facts = edge.run(300, 9 * MB, 6 * MB)
    assert facts["forecast"]["in_bytes_per_second"] == 9 * MB
    assert facts["forecast"]["out_bytes_per_second"] == 6 * MB
    assert facts["forecast"]["backlog_empty_at"] is None
    assert facts["hours_until_full"] == pytest.approx((95 * GB - 0.9 * GB) / (3 * MB) / HOUR, abs=0.2)
    assert edge.foresight.problem() is None  # more than six hours away
    edge.run(300, 20 * MB, 0)
    problem = edge.foresight.problem()
    assert problem is not None
    assert problem.reason.startswith("the disk will be full in ")
    assert problem.see == "edge-disk-will-be-full"
    since = problem.since
    edge.run(60, 20 * MB, 0)
    again = edge.foresight.problem()
    assert again is not None
    assert again.since == since
    edge.run(1200, 0, 0, waiting=1)
    assert edge.foresight.problem() is None


@pytest.mark.parametrize(("hours", "warns"), [(6, False), (14, True)])
def test_how_early_it_warns_is_a_setting(tmp_path: Path, hours: float, warns: bool) -> None:
    edge = Watched(tmp_path, "2026-11-23 12:00", full_warning_hours=hours)
    edge.run(300, 9 * MB, 6 * MB)
    assert (edge.foresight.problem() is not None) is warns


def test_how_long_rates_are_smoothed_is_a_setting(tmp_path: Path) -> None:
    slow, quick = (
        Watched(tmp_path / str(minutes), "2026-11-23 12:00", forecast_minutes=minutes) for minutes in (60, 1)
    )
    for edge in (slow, quick):
        edge.run(120, MB, MB)
        edge.run(120, 9 * MB, 0)
    rates = [edge.foresight.facts()["forecast"]["in_bytes_per_second"] for edge in (slow, quick)]
    assert rates[0] < 6 * MB < 7 * MB < rates[1]


def test_a_line_that_keeps_up_is_not_said_to_fill_the_disk(tmp_path: Path) -> None:
    edge = Watched(tmp_path, "2026-11-23 12:00")
    facts = edge.run(300, 9 * MB, 8 * MB, waiting=1)
    assert facts["forecast"]["behind"] is False
    assert (facts["forecast"]["disk_full_at"], facts["hours_until_full"]) == (None, None)


def test_the_pause_of_tonight_is_in_the_forecast_of_this_afternoon(tmp_path: Path) -> None:
    """In with 3 MB/s, out with 4: by itself the backlog would be gone in a day."""
    night = [{"hours": "20:00-06:00", "mbit": 0}]
    found = []
    for rules in ([], night):
        edge = Watched(tmp_path / str(len(rules)), "2026-11-23 16:00", uplink=rules, uplink_pause="all")
        edge.run(30, 1000 * MB, 0, waiting=1)
        edge.run(900, 3 * MB, 4 * MB)
        edge.run(3600, 3 * MB, 4 * MB)
        found.append(edge.foresight.facts())
    without, paused = found
    assert without["hours_until_full"] is None
    assert without["forecast"]["backlog_empty_at"] > "2026-11-23T22"
    assert "2026-11-23T20" < paused["forecast"]["disk_full_at"] < "2026-11-24T05"
    assert paused["hours_until_full"] < 12
