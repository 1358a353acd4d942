"""Bulk uploads that are on their way let live ones pass: they pause between two pieces."""

from __future__ import annotations

import threading

PAUSE_SECONDS = 20.0
"""At most so long in one exchange: S3 closes a connection that is silent for longer, and bulk goes on too."""


class Way:
    """Knows how many live uploads are on their way. Used by many threads."""

    def __init__(self, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._pause_seconds = pause_seconds
        self._live = 0
        self._changed = threading.Condition()

    def live(self, number: int) -> None:
        """So many are on their way now."""
        with self._changed:
            self._live = number
            if not number:
                self._changed.notify_all()

    def gate(self) -> Gate:
        """For one bulk upload."""
        return Gate(self)

    def free(self, seconds: float) -> bool:
        """Wait until no live upload is on its way, no longer than this."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._live, seconds)

    @property
    def pause_seconds(self) -> float:
        """In one exchange."""
        return self._pause_seconds


class Gate:
    """What one upload passes before each piece."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._open = False

    def renew(self) -> None:
        """Another exchange begins."""
        self._open = False

    def __call__(self) -> None:
        """Let live uploads pass, once an exchange for as long as is allowed."""
        if not self._open and not self._way.free(self._way.pause_seconds):
            self._open = True


class NoGate(Gate):
    """Of a live upload."""

    def __init__(self) -> None:
        super().__init__(Way())
