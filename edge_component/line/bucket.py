"""A token bucket, and who gets its tokens: pure, time is passed in."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

BURST_SECONDS = 0.5
"""A process that does not get the processor for a moment loses nothing of its rate: under 1 % of a minute."""
LEAST_BURST = 8 * 1024
SLICE_SECONDS = 0.02
"""What one connection sends at a time: short, so that many connections are each served often."""
LEAST_SLICE = 1024
A_BYTE = 1e-3
"""Less is rounding."""
KEEP_SECONDS = 10.0
"""A connection that waits for longer goes next, even for bulk: S3 closes one that is silent for 20 s."""


def slice_of(rate: float) -> int:
    """Bytes that go at a time, at this many bytes a second."""
    return max(LEAST_SLICE, int(rate * SLICE_SECONDS))


def burst_of(rate: float) -> float:
    """Bytes that may go at once after a pause."""
    return max(LEAST_BURST, rate * BURST_SECONDS)


class Bucket:
    """One token a byte. Over any time: no more than the rate times the time, and one burst."""

    def __init__(self, now: float) -> None:
        self.rate: float | None = None
        """Bytes a second; None: no limit."""
        self._tokens = 0.0
        self._at = now

    def limit(self, rate: float | None, now: float) -> None:
        """Change the rate. The time since the last look counts with the lower one of both."""
        if rate == self.rate:
            return
        if rate is None or self.rate is None:
            self._tokens, self._at = 0.0, now
        else:
            self._fill(min(rate, self.rate), now)
            self._tokens = min(self._tokens, burst_of(rate))
        self.rate = rate

    def after(self, size: int, now: float) -> float:
        """Seconds until this many bytes may go; 0: now."""
        if self.rate is None:
            return 0.0
        self._fill(self.rate, now)
        missing = min(size, burst_of(self.rate)) - self._tokens
        return missing / self.rate if missing > A_BYTE else 0.0

    def spend(self, size: int) -> None:
        """These bytes go."""
        if self.rate is not None:
            self._tokens -= size

    def _fill(self, rate: float, now: float) -> None:
        self._tokens = min(burst_of(rate), self._tokens + max(0.0, now - self._at) * rate)
        self._at = now


@dataclass(eq=False)
class Turn:
    """Bytes of one connection that wait for their tokens."""

    size: int
    bulk: bool
    asked_at: float
    granted: bool = False


class Turns:
    """Live before bulk, each in the order of asking; a bulk connection that waits for long is kept alive."""

    def __init__(self, now: float) -> None:
        self.bucket = Bucket(now)
        self._live: deque[Turn] = deque()
        self._bulk: deque[Turn] = deque()

    def ask(self, size: int, *, bulk: bool, now: float) -> Turn:
        """Queue for tokens."""
        turn = Turn(size, bulk, now)
        self._queue(turn).append(turn)
        return turn

    def grant(self, now: float) -> float:
        """Grant all that may go now. Returns seconds until the next one may; infinity: none waits."""
        while (turn := self._next(now)) is not None:
            if wait := self.bucket.after(turn.size, now):
                return wait
            self.bucket.spend(turn.size)
            turn.granted = True
            self._queue(turn).popleft()
        return math.inf

    def withdraw(self, turn: Turn) -> None:
        """It does not wait any more."""
        if not turn.granted:
            self._queue(turn).remove(turn)

    def _next(self, now: float) -> Turn | None:
        if self._bulk and (not self._live or now - self._bulk[0].asked_at >= KEEP_SECONDS):
            return self._bulk[0]
        return self._live[0] if self._live else None

    def _queue(self, turn: Turn) -> deque[Turn]:
        return self._bulk if turn.bulk else self._live
