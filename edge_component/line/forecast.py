"""When the disk will be full and when the backlog will be gone, if it goes on like this: a pure function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge_component.line.timetable import Stretch


@dataclass(frozen=True)
class Forecast:
    """Seconds since 1970. None: not within two weeks, or not known."""

    full_at: float | None = None
    empty_at: float | None = None

    def hours_until_full(self, now: float) -> float | None:
        """Where the disk is full before the backlog is gone."""
        if self.full_at is None or (self.empty_at is not None and self.empty_at <= self.full_at):
            return None
        return max(0.0, self.full_at - now) / 3600


def forecast(
    backlog: int,
    room: int,
    incoming: float,
    ahead: Iterable[Stretch],
    outgoing: Callable[[float | None], float | None],
) -> Forecast:
    """Go through the limits that are ahead (start, end, limit), until the backlog is gone.

    `room`: bytes that the spool may still take. `incoming`, `outgoing` (under a limit): bytes a second.
    """
    held, most, full_at = float(backlog), float(backlog + max(0, room)), None
    for start, end, limit in ahead:
        out = outgoing(limit)
        if out is None:
            return Forecast(full_at)
        growth = incoming - out
        if growth > 0 and full_at is None and held + growth * (end - start) >= most:
            full_at = start + (most - held) / growth
        if growth < 0 and held + growth * (end - start) <= 0:
            return Forecast(full_at, start - held / growth)
        held = min(most, held + growth * (end - start))
    return Forecast(full_at)
