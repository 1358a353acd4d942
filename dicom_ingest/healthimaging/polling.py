"""When to look at a running import again: rarely enough that a long one writes little history.

A look writes nine events into the execution's history, which may hold 25,000 and is billed by transition.
"""

from __future__ import annotations

import random

FIRST_POLL_SECONDS = 4
"""The shortest import on record took 3.4 s."""
LONGEST_POLL_SECONDS = 300
SHORTEST_WAIT_SECONDS = 6
"""Between two looks: 100 imports that began together ask 17 times a second, of 25 that are allowed."""
JITTER = 1.2
"""A wait is stretched by a fifth at most, never shortened: so the number of looks has a bound."""
MEAN_JITTER = (1 + JITTER) / 2


def poll_after(age_seconds: float, *, shared: bool = False) -> int:
    """Seconds until the next look at an import of this age: as long again and a little more, at most 300.

    So an end is noticed within six seconds and once the time that the import took, later within five
    minutes (six with jitter), and a ten-minute import is looked at seven times at most.

    `shared`: the import of a bundle is looked at after another eighth of its age. Many series share the
    price of a look, and its slot is what a migration waits for.
    """
    age = max(0, round(age_seconds))
    wait = max(SHORTEST_WAIT_SECONDS, age // 8) if shared else FIRST_POLL_SECONDS + 2 + age
    return min(wait, LONGEST_POLL_SECONDS)


def with_jitter(seconds: int) -> int:
    """The wait, stretched by chance: imports that were started together are not looked at together."""
    return round(seconds * random.uniform(1, JITTER))  # noqa: S311 - jitter, not a secret


def most_polls(import_seconds: float, *, shared: bool = False) -> int:
    """How often an import that takes so long is looked at, at most: nothing is late, no wait is stretched."""
    polls, age = 1, float(FIRST_POLL_SECONDS)
    while age < import_seconds:
        age += poll_after(age, shared=shared)
        polls += 1
    return polls
