"""Time in the edge: seconds, from clocks that are passed in; datetimes only at the walls.

The wall clock says when something happened, for people, manifests and receipts. How long something takes is
measured by the monotonic clock, which is never set: a wall clock is set by NTP, by hand, or after a start
without a battery, and may then jump by hours (`Ages`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from edge_component.running import logs

Clock = Callable[[], float]
"""Seconds: since 1970-01-01 UTC, or of the monotonic clock since no particular moment."""

SYSTEM_CLOCK: Clock = time.time
MONOTONIC: Clock = time.monotonic
Age = Callable[[Hashable, float], float]
"""Seconds since an event, by its name, and the wall time that was written down for it."""
JUMP_SECONDS = 1.0
"""NTP slews what is less; more is a clock that was set."""


def moment(seconds: float) -> datetime:
    """As it crosses a wall."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


class Ages:
    """How long ago rows were written, whatever was done to the wall clock since.

    A task that looks repeatedly knows when a row was new: it was written after the look before. Only what
    the first look of a run finds is as old as the wall clock says, and not from the future.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, monotonic: Clock = MONOTONIC) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._happened: dict[Hashable, float] = {}
        self._looked: float | None = None

    @contextmanager
    def look(self) -> Iterator[Age]:
        """A look at all that is waited for; what is not asked for is forgotten."""
        now, wall = self._monotonic(), self._clock()
        asked: dict[Hashable, float] = {}

        def age(event: Hashable, written_at: float) -> float:
            if event not in asked:
                happened = self._happened.get(event)
                asked[event] = now - self._first(wall - written_at, now) if happened is None else happened
            return now - asked[event]

        yield age
        self._happened, self._looked = asked, now

    def _first(self, by_the_wall: float, now: float) -> float:
        """The age of what was not there at the look before."""
        known = max(0.0, by_the_wall)
        return known if self._looked is None else min(known, now - self._looked)


class ClockWatch:
    """Says when somebody has set the wall clock; owned by one thread, which calls `run_once`."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK, monotonic: Clock = MONOTONIC) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._apart = clock() - monotonic()

    def run_once(self) -> bool:
        """One line in the log for each jump."""
        apart = self._clock() - self._monotonic()
        jump, self._apart = apart - self._apart, apart
        if abs(jump) > JUMP_SECONDS:
            logs.warning("clock was set", by_seconds=round(jump, 1))
        return False
