"""N-EVENT-REPORTs that wait to be sent on the association that asked for them, between two messages."""

from __future__ import annotations

import socket
import time
from collections import deque
from contextlib import suppress

from edge_component.receiving.readers.messages import Report
from edge_component.receiving.readers.stream import Stream

QUIET_SECONDS = 0.1
"""A report waits until the peer has said nothing for so long: it may be about to ask for something itself."""
HURRY_SECONDS = 10.0
"""For so long at most; then the report goes between two messages."""


class Reports:
    """Of one association. Any thread may `add`; everything else belongs to the connection's own thread."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Report]] = deque()
        self._wake: tuple[socket.socket, socket.socket] | None = None

    @property
    def expected(self) -> bool:
        """The association has asked for one."""
        return self._wake is not None

    def expect(self) -> None:
        """From now on reports may come."""
        if self._wake is None:
            self._wake = socket.socketpair()

    def add(self, report: Report) -> bool:
        """Send it when there is time; False: the association never asked for one."""
        if self._wake is None:
            return False
        self._waiting.append((time.monotonic(), report))
        with suppress(OSError):
            self._wake[1].send(b"\1")
        return True

    @property
    def any(self) -> bool:
        """One is waiting."""
        return bool(self._waiting)

    def due(self, stream: Stream) -> Report | None:
        """The one that has waited longest, which is then taken; None: the peer is saying something."""
        asked, report = self._waiting[0]
        if time.monotonic() - asked <= HURRY_SECONDS and stream.ready(QUIET_SECONDS):
            return None
        self._waiting.popleft()
        return report

    def wait(self, stream: Stream, seconds: float) -> bool | None:
        """True: the peer says something. False: a report has come. None: neither, in all this time."""
        assert self._wake is not None  # noqa: S101 - the caller has looked
        ready = stream.ready(seconds, self._wake[0])
        if self._wake[0] in ready:
            self._wake[0].recv(4096)
            return False
        return True if ready else None

    def close(self) -> None:
        """No more."""
        for end in self._wake or ():
            end.close()
