"""Whether another process is alive: judged by what it says, because one that exists may hang."""

from __future__ import annotations

import threading

from edge_component.running.clock import MONOTONIC, Clock

BEAT_SECONDS = 1.0
"""How often each process of the edge says that it is alive."""
LONGEST_LOOK_SECONDS = 2.0
"""More between two looks is time in which this process was stopped or starved itself: it is not counted."""


class Beats:
    """How long a process has been silent. Any thread hears it; one looks, at least once a second."""

    def __init__(self, clock: Clock = MONOTONIC) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._silent = 0.0
        self._heard = threading.Event()

    def heard(self) -> None:
        """It said something."""
        self._heard.set()

    def silence(self) -> float:
        """Seconds of silence that this process was awake for."""
        now = self._clock()
        if self._heard.is_set():
            self._heard.clear()
            self._silent = 0.0
        else:
            self._silent += min(now - self._looked_at, LONGEST_LOOK_SECONDS)
        self._looked_at = now
        return self._silent
