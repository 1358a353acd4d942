"""What many tiny pieces may cost a reader: its connections share one interpreter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BYTES_PER_STEP = 32
"""A fragment or an element has more in any data set that is meant: pixels 4,000, a report 28 to 60."""
STEPS = 2000
"""About a millisecond of the processor."""
PAUSE_SECONDS = 0.004
MEMORY_BYTES = 64 * 1024 * 1024
"""Of all messages of a process that are gathered before they are looked at."""


class Pace:
    """Of one process. A peer whose bytes cost more than they are worth waits, one such peer at a time.

    So what all of them cost together has a bound: a millisecond in five.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._waiting = threading.Lock()

    def pause(self, given_up: Callable[[], bool]) -> None:
        """Wait for one's turn, and then a while; a peer that is given up takes no turn."""
        with self._waiting:
            if not given_up():
                self._sleep(PAUSE_SECONDS)


class Steps:
    """Of one connection."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._owed = 0

    def taken(self, steps: int, count: int, given_up: Callable[[], bool]) -> None:
        """So many fragments and elements in so many bytes."""
        self._owed = max(0, self._owed + steps - count // BYTES_PER_STEP)
        if self._owed > STEPS:
            self._owed = 0
            self._pace.pause(given_up)


class Memory:
    """A number of bytes that the connections of a process share."""

    def __init__(self, most: int = MEMORY_BYTES) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take so many more, or give back where it is negative; False: there are not so many."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True
