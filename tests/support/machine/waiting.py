"""Waiting for a condition, without working harder than what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 60.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 1.0
PAUSES_PER_LOOK = 4
"""A pause is this many times as long as the look before it: looking takes a fifth of a core at most."""
Found = TypeVar("Found")


def wait_until(look: Callable[[], Found | None], what: str = "", seconds: float = SECONDS) -> Found:
    """The first true answer of `look`; an AssertionError that names `what` when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if found := look():
            return found
        now = time.monotonic()
        assert now < end, f"not within {seconds} s: {what or look}"
        time.sleep(min(max(SHORTEST_PAUSE, PAUSES_PER_LOOK * (now - began)), LONGEST_PAUSE))
