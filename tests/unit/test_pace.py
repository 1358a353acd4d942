"""Starts are paced (GCRA): never more than the burst at once, never faster than the rate for long."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from dicom_ingest.db.semaphore.starts import Pace

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@given(
    st.sampled_from([0.25, 1.0, 3.0]),
    st.integers(min_value=1, max_value=5),
    st.lists(st.integers(min_value=0, max_value=20), min_size=1, max_size=60),
)
def test_no_window_holds_more_starts_than_rate_and_burst_allow(
    rate: float, burst: int, gaps: list[int]
) -> None:
    pace, now, starts = Pace(rate, burst, EPOCH), NOON, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        start = pace.next(now)
        assert start >= now
        assert start.microsecond == 0
        starts.append(start)
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            window = (starts[last] - starts[first]).total_seconds()
            # One second of rounding: a start is rounded up to a whole second.
            assert last - first + 1 <= burst + rate * (window + 1)


def test_after_a_quiet_time_the_burst_is_there_again() -> None:
    pace = Pace(1, 2, EPOCH)
    assert [pace.next(NOON) - NOON for _ in range(3)] == [timedelta(seconds=s) for s in (0, 0, 1)]
    later = NOON + timedelta(minutes=1)
    assert [pace.next(later) - later for _ in range(2)] == [timedelta(0)] * 2


def test_a_migration_leaves_one_start_in_five_unused() -> None:
    bulk, live = Pace(1, 1, EPOCH), Pace(1, 1, EPOCH)
    last_bulk = [bulk.next(NOON, bulk=True) for _ in range(41)][-1]
    last_live = [live.next(NOON) for _ in range(41)][-1]
    assert (last_bulk - NOON, last_live - NOON) == (timedelta(seconds=50), timedelta(seconds=40))


@given(st.sampled_from([0.001, 0.25, 1.0, 3.0]), st.booleans())
def test_after_a_start_the_next_is_near_at_any_pace(rate: float, bulk: bool) -> None:
    pace = Pace(rate, 1, EPOCH)
    pace.next(NOON, bulk=bulk)
    assert pace.is_near(NOON, bulk=bulk)
