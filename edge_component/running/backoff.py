"""Waiting between attempts: exponential with full jitter, for ever."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, "full jitter"."""

    base_seconds: float
    cap_seconds: float
    uniform: Callable[[float, float], float] = random.uniform

    def delay(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        ceiling = min(self.cap_seconds, self.base_seconds * 2 ** min(failures, 32))
        return self.uniform(0.0, ceiling)


class Schedule:
    """When each of many things may be tried again; one that never works does not hold up the others."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures: dict[int | str, int] = {}
        self._not_before: dict[int | str, float] = {}

    def failed(self, thing: int | str, now: float) -> float:
        """Try again later; returns when."""
        failures = self._failures.get(thing, 0)
        self._failures[thing] = failures + 1
        self._not_before[thing] = now + self._backoff.delay(failures)
        return self._not_before[thing]

    def done(self, thing: int | str) -> None:
        """It worked, or is not wanted any more."""
        self._failures.pop(thing, None)
        self._not_before.pop(thing, None)

    def failures(self, thing: int | str) -> int:
        """How often it has failed in a row."""
        return self._failures.get(thing, 0)

    def ready(self, thing: int | str, now: float) -> bool:
        """Whether it may be tried."""
        return self._not_before.get(thing, now) <= now

    def keep(self, wanted: Callable[[int | str], bool]) -> None:
        """Forget what is not wanted any more."""
        for thing in [thing for thing in self._failures if not wanted(thing)]:
            self.done(thing)

    def failing(self) -> int:
        """How many have failed and not yet worked."""
        return len(self._failures)
