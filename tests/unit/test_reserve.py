"""What live series need is remembered by hour of the day, and slowly forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from dicom_ingest.db.semaphore.reserve import HOURS, Reserve

EIGHT = datetime(2026, 11, 22, 8, 20, tzinfo=timezone.utc)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def seen(needed: int) -> Reserve:
    reserve = Reserve([0] * HOURS, None)
    reserve.saw(needed, EIGHT)
    return reserve


@pytest.mark.parametrize(
    ("hours", "kept"), [(-2, 0), (-1, 60), (0, 60), (1, 60), (2, 0), (12, 0), (22, 0), (23, 60)]
)
def test_what_live_series_needed_is_kept_an_hour_before_and_after_too(hours: int, kept: int) -> None:
    """An import of a migration that starts an hour before may still run."""
    assert seen(60).about(EIGHT + hours * HOUR) == kept


def test_the_hours_around_midnight_are_neighbours() -> None:
    reserve = Reserve([0] * HOURS, None)
    reserve.saw(9, EIGHT.replace(hour=0))
    assert reserve.about(EIGHT.replace(hour=23)) == 9


def test_the_most_of_an_hour_counts_and_less_changes_nothing() -> None:
    reserve = Reserve(seen(60).by_hour, EIGHT.replace(minute=0))
    reserve.saw(5, EIGHT)
    assert (reserve.about(EIGHT), reserve.changed) == (60, False)
    reserve.saw(61, EIGHT)
    assert (reserve.about(EIGHT), reserve.changed) == (61, True)


def test_a_weekend_is_outlived_and_a_broken_line_is_forgotten() -> None:
    reserve, kept = seen(80), []
    for day in range(1, 31):
        reserve.saw(0, EIGHT + day * DAY)
        reserve.saw(0, EIGHT + day * DAY)
        kept.append(reserve.about(EIGHT))
    assert kept[1] > 60, "from Friday to Sunday"
    assert kept[10] < 20
    assert kept[-1] == 0
