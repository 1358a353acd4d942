"""A long import is looked at rarely: its history stays small, and its end is not missed for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_ingest.contracts.platform import quotas
from dicom_ingest.healthimaging.polling import (
    FIRST_POLL_SECONDS,
    LONGEST_POLL_SECONDS,
    most_polls,
    poll_after,
    with_jitter,
)
from statemachines.history import ordinary

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
HISTORY_LIMIT = 25_000


@pytest.mark.parametrize(
    ("import_seconds", "transitions", "history_events"),
    [(3.4, 14, 47), (12, 17, 56), (10 * MINUTE, 32, 101), (HOUR, 62, 191), (DAY, 890, 2675)],
)
def test_an_execution_writes_little_however_long_its_import_takes(
    import_seconds: float, transitions: int, history_events: int
) -> None:
    cost = ordinary(most_polls(import_seconds))
    assert (cost.transitions, cost.history_events) == (transitions, history_events)


def test_an_ordinary_series_costs_seventeen_transitions_and_ten_minutes_about_a_hundred_events() -> None:
    assert ordinary(most_polls(14)).transitions <= 17
    assert ordinary(most_polls(10 * MINUTE)).history_events <= 101


def test_the_end_of_a_shared_import_is_noticed_soon_and_costs_a_series_little() -> None:
    """45 series share an import of 4,500 files, which takes from one and a half minutes to 40."""
    for seconds in (94, 454, 2254):
        looked_at, polls = float(FIRST_POLL_SECONDS), 1
        while looked_at < seconds:
            looked_at += with_jitter(poll_after(looked_at, shared=True))
            polls += 1
        assert looked_at - seconds <= seconds / 6
        assert ordinary(0).transitions + 3 * most_polls(seconds, shared=True) / 45 <= 16
        assert polls <= most_polls(seconds, shared=True)


def test_a_hundred_shared_imports_ask_less_than_healthimaging_allows() -> None:
    least = min(poll_after(age, shared=True) for age in range(DAY))
    assert quotas.IMPORTS_AT_ONCE / least < quotas.READS_PER_SECOND
    assert ordinary(most_polls(DAY, shared=True)).history_events < HISTORY_LIMIT


def test_an_import_of_weeks_stays_far_below_what_a_history_may_hold() -> None:
    assert ordinary(most_polls(7 * DAY)).history_events < HISTORY_LIMIT


@given(st.floats(min_value=0, max_value=DAY))
def test_an_end_is_noticed_soon(import_seconds: float) -> None:
    looked_at = float(FIRST_POLL_SECONDS)
    while looked_at < import_seconds:
        looked_at += with_jitter(poll_after(looked_at))
    allowed = min(max(FIRST_POLL_SECONDS, 1.2 * (import_seconds + 7)), 1.2 * LONGEST_POLL_SECONDS)
    assert looked_at - import_seconds <= allowed


@given(st.integers(min_value=0, max_value=LONGEST_POLL_SECONDS))
def test_chance_stretches_a_wait_by_a_fifth_at_most_and_never_shortens_it(seconds: int) -> None:
    assert seconds <= with_jitter(seconds) <= 1.2 * seconds + 0.5


@given(st.floats(min_value=-HOUR, max_value=DAY))
def test_an_import_from_a_clock_ahead_of_ours_is_looked_at_soon(age_seconds: float) -> None:
    assert FIRST_POLL_SECONDS <= poll_after(age_seconds) <= LONGEST_POLL_SECONDS
