"""One way out of the edge (uploads, announcements, reports, heartbeats): whether it works, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.running.problem import Problem, text_of

MOMENT_SECONDS = 10.0
"""A failure is said when nothing has succeeded for as long: one lost answer is no news."""


@dataclass(frozen=True)
class Way:
    """The state of one way. Times in seconds since 1970."""

    last_success_at: float | None = None
    failing_since: float | None = None
    words: str = ""
    tries: int = 0

    def fields(self) -> dict[str, object]:
        """For JSON: times as text."""
        return {
            "last_success_at": None if self.last_success_at is None else text_of(self.last_success_at),
            "failing_since": None if self.failing_since is None else text_of(self.failing_since),
            "words": self.words,
            "tries": self.tries,
        }

    def problem(self, what: str, see: str, waiting: str, now: float) -> Problem | None:
        """`what`: "upload"; `waiting`: "25 instances wait"; None: it works, or has failed for a moment."""
        if self.failing_since is None or now - self.failing_since < MOMENT_SECONDS:
            return None
        last = "" if self.last_success_at is None else f" (the last one at {text_of(self.last_success_at)})"
        tries = f"{self.tries} {'try' if self.tries == 1 else 'tries'}"
        reason = f"no {what} has succeeded since {text_of(self.failing_since)}{last}: {self.words}, {tries}"
        return Problem(what, f"{reason}; {waiting}" if waiting else reason, see, since=self.failing_since)


class Outage:
    """Follows one way; owned by one thread, read by any."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.way = Way()

    def succeeded(self) -> None:
        """It works."""
        self.way = Way(last_success_at=self._clock())

    def failed(self, words: str) -> None:
        """A try failed, with the other side's own words."""
        since = self.way.failing_since
        self.way = Way(
            self.way.last_success_at,
            self._clock() if since is None else since,
            words,
            self.way.tries + 1,
        )
