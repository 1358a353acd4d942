"""What an upload passes before each piece: live uploads go first, and the line has a limit."""

from __future__ import annotations

import threading

from edge_component.line.line import Line

PAUSE_SECONDS = 20.0
"""At most so long in one exchange: S3 closes a connection that is silent for longer, and bulk goes on too."""


class Gate:
    """Of what is small, such as a manifest: there is nothing to pass."""

    def renew(self, head: int = 0) -> None:
        """Another exchange begins, with so many bytes before its body."""

    def most(self, size: int) -> int:
        """As much of these bytes as goes at a time."""
        return size

    def __call__(self, size: int) -> None:
        """Return when these bytes may go.

        Raises:
            PausedError: they may not go for long.
        """


class Way:
    """Knows how many live uploads are on their way. Used by many threads."""

    def __init__(self, line: Line | None = None, pause_seconds: float = PAUSE_SECONDS) -> None:
        self.line = line or Line()
        self._pause_seconds = pause_seconds
        self._live = 0
        self._changed = threading.Condition()

    def live(self, number: int) -> None:
        """So many are on their way now."""
        with self._changed:
            self._live = number
            if not number:
                self._changed.notify_all()

    def gate(self, *, bulk: bool) -> Gate:
        """For one upload."""
        return UploadGate(self, bulk=bulk)

    def free(self) -> bool:
        """Wait until no live upload is on its way. False: they are after as long as an exchange may pause."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._live, self._pause_seconds)


class UploadGate(Gate):
    """Bulk uploads pause while live ones are on their way; a limited line has an order of its own."""

    def __init__(self, way: Way, *, bulk: bool) -> None:
        self._way = way
        self._bulk = bulk
        self._open = not bulk
        self._head = 0

    def renew(self, head: int = 0) -> None:
        """Another exchange begins: it may pause again, and its head needs its place on the line."""
        self._open = not self._bulk
        self._head = head

    def most(self, size: int) -> int:
        """As the line says."""
        return self._way.line.most(size)

    def __call__(self, size: int) -> None:
        """Let live uploads pass, once an exchange for as long as is allowed; then wait for the line."""
        if not self._open and not self._way.line.limited and not self._way.free():
            self._open = True
        head, self._head = self._head, 0
        self._way.line.take(head + size, bulk=self._bulk)
