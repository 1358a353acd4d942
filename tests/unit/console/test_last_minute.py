"""A count's growth is said of the last minute only."""

from __future__ import annotations

from console.run.last_minute import LastMinute


def test_growth_is_counted_from_the_first_look_within_a_minute() -> None:
    now = 0.0
    pace = LastMinute(lambda: now)
    assert pace.grown(100) == 0, "before the first look nothing is known"
    now = 20.0
    assert pace.grown(130) == 30
    now = 70.0
    assert pace.grown(150) == 20
    now = 500.0
    assert pace.grown(900) == 0, "nobody looked"


def test_a_count_that_begins_anew_is_no_growth() -> None:
    pace = LastMinute(lambda: 0.0)
    pace.grown(100)
    assert pace.grown(3) == 0
