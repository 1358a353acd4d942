"""One token bucket per operation, as the service throttles (developer guide, "Throttling limits")."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from . import errors
from .clock import Clock
from .settings import Rate


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """Counts calls per operation; rates are looked up at each call, so they may change while it runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, operation: str, rate: Rate | None) -> None:
        """Takes one token; raises ThrottlingException when there is none, None means unlimited."""
        if rate is None:
            return
        now = self._clock.now()
        with self._lock:
            bucket = self._buckets.setdefault(operation, _Bucket(rate.burst, now))
            earned = max(0.0, now - bucket.filled_at) * rate.per_second
            bucket.tokens = min(rate.burst, bucket.tokens + earned)
            bucket.filled_at = now
            if bucket.tokens < 1:
                raise errors.throttled(operation)
            bucket.tokens -= 1
