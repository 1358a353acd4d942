"""Time, injectable: the real clock, and one that tests move by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the emulator needs of time."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Returns when the time has passed or `stop` is set, whichever is first."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if seconds > 0:
            stop.wait(seconds)


class ManualClock:
    """A clock that stands still until `advance` is called."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._moved = threading.Condition()

    def now(self) -> float:
        with self._moved:
            return self._now

    def advance(self, seconds: float) -> None:
        """Moves the clock and wakes who waits for it."""
        with self._moved:
            self._now += seconds
            self._moved.notify_all()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        with self._moved:
            until = self._now + seconds
            while self._now < until and not stop.is_set():
                self._moved.wait(0.05)  # short, so that a stop is seen without a second signal
