"""How much a count has grown in the last minute, as far as somebody looked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

SECONDS = 60.0


class LastMinute:
    """The growth of one cumulative count. Threads may use it at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def grown(self, count: int) -> int:
        """Note the count as it is now; how much it was less at the first look within a minute."""
        with self._lock:
            now = self._clock()
            self._looks.append((now, count))
            while self._looks[0][0] < now - SECONDS:
                self._looks.popleft()
            return max(0, count - self._looks[0][1])
