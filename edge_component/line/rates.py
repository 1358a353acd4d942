"""What comes in and what goes out, in bytes a second, smoothed: the old counts less and less."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dicom_ingest.contracts.configuration.uplink import Pause
from edge_component.line.timetable import BYTES_A_MBIT

KNOWN_SHARE = 1 / 15
"""Of the time over which rates are smoothed: what was seen for less is not known."""


class Smoothed:
    """An average over about `seconds`, right from the first amount on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rate = self._weight = 0.0
        self.observed = 0.0
        """Seconds that it is made of."""

    def add(self, amount: float, seconds: float) -> None:
        """So much, in this time."""
        kept = math.exp(-seconds / self._seconds)
        self._rate = self._rate * kept + amount / seconds * (1 - kept)
        self._weight = self._weight * kept + (1 - kept)
        self.observed += seconds

    @property
    def rate(self) -> float:
        """A second."""
        return self._rate / self._weight if self._weight else 0.0


@dataclass(frozen=True)
class Look:
    """What there is at a moment. `behind`: something has waited for the line, or for AWS, for long."""

    at: float
    received: int
    """Bytes acknowledged so far."""
    received_bulk: int
    """Of them, from `bulk` senders; since the start of the process."""
    backlog: int
    """Bytes that are not released."""
    limit: float | None
    """Of the line, in Mbit/s."""
    behind: bool


class Rates:
    """Learns from looks. What the line can do is seen only while something waits for it.

    It is remembered for each limit that the line has had: what goes out in a paused night says nothing about
    the day.
    """

    def __init__(self, seconds: float, pause: Pause = "bulk") -> None:
        self._seconds = seconds
        self._pause = pause
        self._incoming, self._incoming_bulk = Smoothed(seconds), Smoothed(seconds)
        self._outgoing: dict[float | None, Smoothed] = {}
        self._last: Look | None = None

    def look(self, now: Look) -> None:
        """Learn what happened since the last look."""
        before, self._last = self._last, now
        if before is None or now.at <= before.at or now.received < before.received:
            return  # the first look, or another journal
        seconds, came = now.at - before.at, now.received - before.received
        self._incoming.add(came, seconds)
        self._incoming_bulk.add(max(0, now.received_bulk - before.received_bulk), seconds)
        if before.behind and now.behind and before.limit == now.limit:
            went = max(0, came - (now.backlog - before.backlog))
            self._outgoing.setdefault(now.limit, Smoothed(self._seconds)).add(went, seconds)

    @property
    def incoming(self) -> float:
        """Bytes acknowledged a second."""
        return self._incoming.rate

    def outgoing(self, limit: float | None) -> float | None:
        """Bytes that are released a second under this limit while something waits; None: not known yet.

        What was measured counts. Else it is the limit, or what the line did without one where that is less.
        In a pause of `bulk` senders what the others send goes out as it comes in.
        """
        measured, free = self._measured(limit), self._measured(None)
        if measured is not None or limit is None:
            return measured
        if limit == 0:
            live = max(0.0, self.incoming - self._incoming_bulk.rate)  # counted apart, they differ a little
            return live if self._pause == "bulk" else 0.0
        return limit * BYTES_A_MBIT if free is None else min(limit * BYTES_A_MBIT, free)

    def _measured(self, limit: float | None) -> float | None:
        known = self._outgoing.get(limit)
        return known.rate if known is not None and known.observed >= self._seconds * KNOWN_SHARE else None
