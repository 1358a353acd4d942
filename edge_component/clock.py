"""Time in the edge: seconds since the epoch, from a clock that is passed in; datetimes only at the walls."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

Clock = Callable[[], float]
"""Seconds since 1970-01-01 UTC."""

SYSTEM_CLOCK: Clock = time.time


def moment(seconds: float) -> datetime:
    """As it crosses a wall."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)
