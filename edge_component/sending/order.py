"""What goes next over a narrow line: a pure function of what waits.

Live before bulk; of each, a series that is complete before one that still grows, and the one with the fewest
images left first: so a small series does not wait for a large one, and one that began ends. Each
`FAIR_TURN`-th place belongs to what has waited longest, whatever it is: nothing starves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

FAIR_TURN = 16


class Waiting(Protocol):
    """An instance that may be sent."""

    @property
    def instance(self) -> int:
        """Numbers grow in the order of receipt."""
        ...

    @property
    def sequence(self) -> int:
        """Of its series transfer."""
        ...

    @property
    def bulk(self) -> bool:
        """Its sender's priority."""
        ...

    @property
    def sealed(self) -> bool:
        """Its series is complete."""
        ...

    @property
    def unsent(self) -> int:
        """Instances of its series that are not in S3."""
        ...


One = TypeVar("One", bound=Waiting)


def in_order(waiting: Iterable[One], begun: int = 0) -> list[One]:
    """What waits, in the order in which it goes; `begun`: how many went before."""
    found = {one.instance: one for one in waiting}
    queue = sorted(
        found.values(), key=lambda one: (one.bulk, not one.sealed, one.unsent, one.sequence, one.instance)
    )
    oldest = sorted(found.values(), key=lambda one: one.instance)
    gone: set[int] = set()
    ordered: list[One] = []
    heads = iter(queue), iter(oldest)
    while len(ordered) < len(queue):
        fair = (begun + len(ordered) + 1) % FAIR_TURN == 0
        one = next(each for each in heads[fair] if each.instance not in gone)
        gone.add(one.instance)
        ordered.append(one)
    return ordered
