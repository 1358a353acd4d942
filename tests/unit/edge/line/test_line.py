"""One limit for all uploads: which one holds when, exactly kept, and in the right order."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from dicom_ingest.contracts.configuration.config import ConfigError, parse_config
from dicom_ingest.contracts.configuration.uplink import UplinkRule
from edge_component.line.bucket import KEEP_SECONDS, Bucket, Turn, Turns, burst_of, slice_of
from edge_component.line.line import Line, PausedError
from edge_component.line.timetable import BYTES_A_MBIT, Timetable
from edge_component.settings import SettingsError, load_settings
from tests.support.edge.stand_ins import Clock, settings
from tests.unit.edge.running.test_settings import LEAST

BERLIN = "Europe/Berlin"
DAY = 86400.0


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    """A time on the wall there, such as ``2026-03-29 02:30``."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def timetable(*rules: dict[str, Any], zone: str | None = BERLIN) -> Timetable:
    return Timetable([UplinkRule.model_validate(rule) for rule in rules], zone)


# Which limit holds when

WORK = {"days": ["mon-fri"], "hours": "08:00-18:00", "mbit": 20}
NIGHT = {"hours": "22:00-06:00", "mbit": 0}


def test_without_rules_nothing_is_limited() -> None:
    limit = timetable().at(at("2026-11-23 12:00"))
    assert (limit.mbit, limit.since, limit.until) == (None, None, None)


def test_one_rule_for_all_times_has_neither_beginning_nor_end() -> None:
    limit = timetable({"mbit": 5}).at(at("2026-11-23 12:00"))
    assert (limit.mbit, limit.since, limit.until) == (5, None, None)


@pytest.mark.parametrize(
    ("moment", "mbit"),
    [
        ("2026-11-23 07:59", None),
        ("2026-11-23 08:00", 20),  # a Monday
        ("2026-11-23 17:59", 20),
        ("2026-11-23 18:00", None),
        ("2026-11-22 12:00", None),  # a Sunday
        ("2026-11-22 23:00", 0),
        ("2026-11-23 05:59", 0),
        ("2026-11-23 06:00", None),
    ],
)
def test_a_limit_holds_on_its_days_and_hours_and_over_midnight(moment: str, mbit: float | None) -> None:
    assert timetable(WORK, NIGHT).at(at(moment)).mbit == mbit


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = timetable({"days": ["fri"], "hours": "22:00-06:00", "mbit": 1})
    assert friday.at(at("2026-11-28 05:00")).mbit == 1  # Saturday morning
    assert friday.at(at("2026-11-27 05:00")).mbit is None


def test_of_two_rules_that_hold_the_first_one_counts() -> None:
    lunch = {"days": ["mon"], "hours": "12:00-13:00", "mbit": 50}
    table = timetable(lunch, WORK)
    assert [table.at(at(f"2026-11-23 {hour}:30")).mbit for hour in (11, 12, 13)] == [20, 50, 20]
    assert timetable(WORK, lunch).at(at("2026-11-23 12:30")).mbit == 20


def test_it_is_known_since_when_a_limit_holds_and_what_follows() -> None:
    limit = timetable(WORK, NIGHT).at(at("2026-11-23 12:00"))
    assert (limit.since, limit.until) == (at("2026-11-23 08:00"), at("2026-11-23 18:00"))
    assert limit.following is None
    weekend = timetable(WORK).at(at("2026-11-22 12:00"))
    assert (weekend.since, weekend.until) == (at("2026-11-20 18:00"), at("2026-11-23 08:00"))
    assert weekend.following == 20


def test_rules_that_meet_at_the_same_limit_are_one() -> None:
    halves = ({"hours": "00:00-12:00", "mbit": 7}, {"hours": "12:00-24:00", "mbit": 7})
    limit = timetable(*halves).at(at("2026-11-23 12:00"))
    assert (limit.mbit, limit.since, limit.until) == (7, None, None)


def test_a_night_has_seven_hours_when_summer_begins_and_nine_when_it_ends() -> None:
    night = timetable(NIGHT)
    for evening, hours in (("2026-03-28 23:00", 7), ("2026-10-24 23:00", 9), ("2026-07-01 23:00", 8)):
        limit = night.at(at(evening))
        assert limit.since is not None
        assert limit.until is not None
        assert limit.until - limit.since == hours * 3600


def test_an_hour_that_is_left_out_limits_nothing_and_one_that_comes_twice_counts_whole() -> None:
    table = timetable({"hours": "02:00-03:00", "mbit": 1})
    spring = at("2026-03-29 03:00")
    assert [table.at(spring + seconds).mbit for seconds in (-1, 0, 1)] == [None, None, None]
    autumn = at("2026-10-25 02:00")
    assert [table.at(autumn + hours * 3600).mbit for hours in (0, 1, 1.99, 2)] == [1, 1, 1, None]


def test_the_zone_is_the_edges_own_and_by_default_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = at("2026-11-23 12:00", "Asia/Tokyo")
    assert timetable(WORK, zone="Asia/Tokyo").at(moment).mbit == 20
    assert timetable(WORK).at(moment).mbit is None  # 04:00 in Berlin
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert timetable(WORK, zone=None).at(moment).mbit == 20
    finally:
        monkeypatch.undo()
        time.tzset()


@limits(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(
            lambda days, first, length, mbit: UplinkRule.model_validate(
                {"days": days, "hours": _hours(first, length), "mbit": mbit}
            ),
            st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1),
            st.integers(0, 1439),
            st.integers(1, 1440),
            st.sampled_from([0, 1, 20]),
        ),
        max_size=4,
    ),
    st.integers(0, 10 * 1440),
)
def test_the_stretches_ahead_are_what_holds_at_each_moment(rules: list[UplinkRule], minute: int) -> None:
    table, now = Timetable(rules, BERLIN), at("2026-10-20 00:00") + 60 * minute
    list(table.ahead(now - 600))
    stretches = list(table.ahead(now))
    assert stretches[0][0] == now
    assert 13 * DAY < stretches[-1][1] - now <= 14 * DAY
    for (_, end, limit), (start, _, following) in itertools.pairwise(stretches):
        assert (start, following != limit) == (end, True)
    for start, end, limit in stretches:
        assert {table.at(moment).mbit for moment in (start, (start + end) / 2, end - 1)} == {limit}


def _hours(first: int, length: int) -> str:
    last = first + length
    last = last if last == 1440 else last % 1440
    if last == first:
        first, last = 0, 1440
    return f"{first // 60}:{first % 60:02}-{last // 60}:{last % 60:02}"


# What a person writes


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"mbit": -1}, "uplink.0.mbit: must be 0 (a pause) or from 0.1 to 100000 Mbit/s, not -1"),
        ({"mbit": 0.01}, "uplink.0.mbit: must be 0 (a pause) or from 0.1 to 100000 Mbit/s, not 0.01"),
        ({"hours": "25:00-26:00", "mbit": 1}, "uplink.0.hours: must be two times such as 07:00-18:30"),
        ({"hours": "8-18", "mbit": 1}, "or 00:00-24:00, not '8-18'"),
        ({"hours": "08:00-08:00", "mbit": 1}, "not '08:00-08:00'"),
        ({"days": "monday", "mbit": 1}, "uplink.0.days.0: must be of mon, tue, wed, thu, fri, sat, sun"),
        ({"days": [], "mbit": 1}, "uplink.0.days: must name at least one day, such as [mon-fri] or sat"),
        ({"day": "mon", "mbit": 1}, "uplink.0.day: no such key; allowed here: days, hours, mbit"),
        ({"days": "mon"}, "uplink.0.mbit: is required"),
    ],
)
def test_a_rule_that_cannot_be_used_is_one_line_with_key_value_and_what_is_allowed(
    rule: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config({"edge_config": [{"name": "edge1", "uplink": [rule]}]})
    [line] = [line for line in str(error.value).splitlines()[1:] if said in line]
    assert line.startswith("  edge_config.0.uplink.0")
    with pytest.raises(SettingsError, match=r"uplink\.0"):
        load_settings({**LEAST, "EDGE_UPLINK": json.dumps([rule])})


def test_days_may_be_ranges_in_a_list_or_in_text() -> None:
    for days in ("sat-mon", ["sat-mon"], "sat, sun,mon", ["SAT", "sun-mon"]):
        assert UplinkRule.model_validate({"days": days, "mbit": 1}).days == ["sat", "sun", "mon"]


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "../etc/passwd", ""])
def test_a_time_zone_has_a_name_of_iana(zone: str) -> None:
    with pytest.raises(ConfigError, match="time_zone: must be an IANA time zone such as Europe/Berlin"):
        parse_config({"edge_config": [{"name": "edge1", "time_zone": zone}]})


def test_settings_of_one_edge_reach_that_edge_only_and_its_own_come_first() -> None:
    rules = [{"mbit": 20}]
    whole = {"edges": {"edge1": {"uplink": rules, "time_zone": BERLIN, "uplink_pause": "all"}}}
    given = {**LEAST, "EDGE_CONFIG": json.dumps(whole)}
    edge1 = load_settings(given)
    assert ([rule.mbit for rule in edge1.uplink], edge1.time_zone) == ([20], BERLIN)
    assert edge1.uplink_pause == "all"
    assert load_settings({**given, "EDGE_NAME": "edge2"}).uplink == []
    assert load_settings({**given, "EDGE_UPLINK": "[]"}).uplink == []


# The bucket, on a simulated clock

RATE = 100_000.0
QUICK = limits(deadline=None, max_examples=60)


class Simulation:
    """Connections that ask, wait, and send for a while, again and again."""

    def __init__(self, connections: list[tuple[bool, list[tuple[float, int]]]], rate: float) -> None:
        self.now, self.turns, self.sent = 0.0, Turns(0.0), list[tuple[float, int]]()
        self.turns.bucket.limit(rate, 0.0)
        self._work = [(bulk, iter(pieces)) for bulk, pieces in connections]
        self._asks = [self._next(number, 0.0) for number in range(len(connections))]
        self._waiting: dict[int, Turn] = {}
        self.busy_since: float | None = None
        self.idle_with_work = 0.0

    def _next(self, number: int, now: float) -> tuple[float, int] | None:
        piece = next(self._work[number][1], None)
        return None if piece is None else (now + piece[0], piece[1])

    def run(self) -> None:
        """Until all have sent everything."""
        while True:
            for number, ask in enumerate(self._asks):
                if ask is not None and ask[0] <= self.now:
                    turn = self.turns.ask(ask[1], bulk=self._work[number][0], now=self.now)
                    self._waiting[number], self._asks[number] = turn, None
            wait = self.turns.grant(self.now)
            for number, turn in list(self._waiting.items()):
                if turn.granted:
                    del self._waiting[number]
                    self.sent.append((self.now, turn.size))
                    self._asks[number] = self._next(number, self.now)
            assert bool(self._waiting) == (wait < math.inf)
            coming = [ask[0] for ask in self._asks if ask is not None]
            if any(moment <= self.now for moment in coming):
                continue
            following = min([*coming, self.now + wait])
            if following == math.inf:
                return
            self.now = following


pieces = st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.3, 2.0]), st.integers(1, 4000)), max_size=25)
connections = st.lists(st.tuples(st.booleans(), pieces), min_size=1, max_size=8)


@QUICK
@given(connections, st.sampled_from([RATE / 8, RATE, 20 * RATE]))
def test_whatever_the_connections_do_the_line_is_never_faster_than_its_limit(
    given_connections: list[tuple[bool, list[tuple[float, int]]]], rate: float
) -> None:
    run = Simulation(given_connections, rate)
    run.run()
    assert len(run.sent) == sum(len(work) for _, work in given_connections)
    for first, (start, _) in enumerate(run.sent):
        passed = 0
        for moment, size in run.sent[first:]:
            passed += size
            assert passed <= rate * (moment - start) + burst_of(rate) + 1


@limits(deadline=None, max_examples=15)
@given(st.integers(1, 16), st.booleans(), st.integers(0, 2**32))
def test_the_line_is_never_idle_while_there_is_work(number: int, bulk: bool, seed: int) -> None:
    """Exact within 5 % over a minute, for any number of connections."""
    size = slice_of(RATE) - seed % 500
    each = math.ceil(61 * RATE / size / number)
    run = Simulation([(bulk != bool(n % 3), [(0.0, size)] * each) for n in range(number)], RATE)
    run.run()
    minute = sum(size for moment, size in run.sent if moment < 60)
    assert 0.99 * 60 * RATE <= minute <= 60 * RATE + burst_of(RATE)


@QUICK
@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.sampled_from([1e4, 1e5, 1e6])), max_size=30),
    st.integers(100, 3000),
)
def test_a_change_of_the_limit_lets_no_more_through_than_the_limits_allow(
    steps: list[tuple[float, float]], size: int
) -> None:
    bucket, now, rate, allowed, passed = Bucket(0.0), 0.0, 1e5, burst_of(1e6), 0
    bucket.limit(rate, now)
    for seconds, following in steps:
        now += seconds
        allowed += rate * seconds
        while bucket.after(size, now) == 0:
            bucket.spend(size)
            passed += size
        assert passed <= allowed + 1
        bucket.limit(following, now)
        rate = following


@pytest.mark.parametrize(("before", "following"), [(1e6, 1e5), (1e5, 1e6)])
def test_a_time_in_which_the_limit_changed_counts_with_the_lower_one(before: float, following: float) -> None:
    bucket = Bucket(0.0)
    bucket.limit(before, 0.0)
    bucket.limit(following, 0.25)
    bucket.spend(25_000)
    assert bucket.after(1000, 0.25) == pytest.approx(1000 / following)


def test_what_begins_to_be_limited_begins_without_a_burst() -> None:
    bucket = Bucket(0.0)
    bucket.limit(1e5, 100.0)
    assert bucket.after(1000, 100.0) == pytest.approx(0.01)
    bucket.limit(None, 200.0)
    assert bucket.after(10**12, 200.0) == 0
    bucket.limit(1e5, 300.0)
    assert bucket.after(1000, 300.0) == pytest.approx(0.01)


def test_live_bytes_go_before_bulk_ones_and_a_bulk_connection_is_kept_alive() -> None:
    turns = Turns(0.0)
    turns.bucket.limit(1000.0, 0.0)
    turns.bucket.after(1, 8.0)
    turns.bucket.spend(8000)  # what came in that time
    bulk = turns.ask(1000, bulk=True, now=8.0)
    live = [turns.ask(1000, bulk=False, now=8.0) for _ in range(40)]
    turns.grant(9.0)
    assert (bulk.granted, live[0].granted, live[1].granted) == (False, True, False)
    turns.grant(8.0 + KEEP_SECONDS - 0.5)
    assert not bulk.granted
    turns.grant(8.0 + KEEP_SECONDS + 0.5)
    assert bulk.granted


# The line, with threads


def line_of(clock: Clock, *rules: dict[str, Any], pause: Any = "bulk") -> Line:
    return Line(timetable(*rules), pause, clock.monotonic, clock)


def test_a_pause_gives_up_bulk_uploads_and_lets_live_ones_go_unless_told_otherwise() -> None:
    clock = Clock(at("2026-11-22 23:00"))
    line = line_of(clock, NIGHT)
    line.take(10**9, bulk=False)
    with pytest.raises(PausedError):
        line.take(1, bulk=True)
    assert (line.paused(bulk=True), line.paused(bulk=False)) == (True, False)
    whole = line_of(clock, NIGHT, pause="all")
    with pytest.raises(PausedError):
        whole.take(1, bulk=False)
    assert whole.facts()["paused"] == "all"
    clock.now = at("2026-11-23 06:00")
    for each in (line, whole):
        each.take(10**9, bulk=True)
        assert not each.paused(bulk=True)


def test_a_pause_that_begins_ends_the_wait_of_a_bulk_upload() -> None:
    clock = Clock(at("2026-11-22 21:59"))
    line = line_of(clock, NIGHT, {"mbit": 1})
    given_up = threading.Event()

    def upload() -> None:
        try:
            while True:
                line.take(100_000, bulk=True)
        except PausedError:
            given_up.set()

    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    clock.now = at("2026-11-22 22:00")
    assert given_up.wait(30)
    thread.join()


def test_what_is_used_is_what_passed_in_the_last_ten_seconds() -> None:
    clock = Clock(at("2026-11-23 12:00"))
    line = line_of(clock, WORK)
    line.take(0, bulk=False)
    clock.now += 60
    for _ in range(4):
        line.take(BYTES_A_MBIT, bulk=False)
    facts = line.facts()
    assert facts == {
        "limit_mbit": 20,
        "paused": None,
        "since": "2026-11-23T07:00:00Z",
        "changes_at": "2026-11-23T17:00:00Z",
        "next_limit_mbit": None,
        "used_mbit": 0.4,
        "sent_bytes": 4 * BYTES_A_MBIT,
    }
    clock.now += 11
    assert line.facts()["used_mbit"] == 0


def test_without_a_limit_a_piece_goes_whole_and_with_one_in_slices(tmp_path: Path) -> None:
    assert Line().most(262_144) == 262_144
    given_settings = settings(tmp_path, uplink=[{"mbit": 1}], time_zone=BERLIN, uplink_pause="all")
    table = Timetable(given_settings.uplink, given_settings.time_zone)
    assert Line(table, given_settings.uplink_pause).most(262_144) == slice_of(BYTES_A_MBIT)


@pytest.fixture(autouse=True)
def _the_zone_of_the_machine() -> Iterator[None]:
    yield
    time.tzset()
