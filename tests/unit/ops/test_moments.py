"""Days and moments as an operator types them."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime, timedelta

import pytest

from ops.moments import day, moment


def test_a_time_may_be_absolute_or_ago() -> None:
    assert moment("2026-11-22T09:00:00Z") == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert moment("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)
    assert abs(moment("2h") - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(minutes=1)


def test_a_day_is_a_day() -> None:
    assert day("2026-11-22") == date(2026, 11, 22)


def test_another_way_to_write_them_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="RFC 3339, or 30m, 2h, 1d"):
        moment("yesterday")
    with pytest.raises(argparse.ArgumentTypeError, match="a day such as 2026-11-22"):
        day("22.11.2026")
