"""The one line that all uploads share. Used by many threads."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from dicom_ingest.contracts.configuration.uplink import Pause
from edge_component.line.bucket import Turn, Turns, slice_of
from edge_component.line.timetable import BYTES_A_MBIT, Limit, Timetable
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock
from edge_component.running.problem import text_of

LOOK_SECONDS = 1.0
"""A thread that waits looks as often: the wall clock decides which limit holds, and may be set."""
METER_SECONDS = 10.0


class PausedError(RuntimeError):
    """The line is paused for this upload: what was begun is given up, and goes later."""


class Line:
    """Every byte of an upload is taken from here before it is sent; `take` waits for its turn."""

    def __init__(
        self,
        timetable: Timetable | None = None,
        pause: Pause = "bulk",
        clock: Clock = MONOTONIC,
        wall: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Without a timetable nothing is limited."""
        self._timetable = timetable or Timetable()
        self._pause = pause
        self._clock, self._wall = clock, wall
        self._turns = Turns(clock())
        self._changed = threading.Condition()
        self._sent: deque[tuple[float, int]] = deque()
        self._sent_bytes = 0

    @property
    def limited(self) -> bool:
        """Whether bytes wait for their turn."""
        return self._rate() is not None

    def paused(self, *, bulk: bool) -> bool:
        """Whether such an upload must not begin, nor go on."""
        return self._limit().mbit == 0 and (bulk or self._pause == "all")

    def most(self, size: int) -> int:
        """As much of these bytes as goes at a time."""
        rate = self._rate()
        return size if rate is None else min(size, slice_of(rate))

    def take(self, size: int, *, bulk: bool) -> None:
        """Wait until these bytes may go.

        Raises:
            PausedError: they may not go before the limit changes.
        """
        with self._changed:
            turn = self._turns.ask(size, bulk=bulk, now=self._clock())
            try:
                self._wait(turn)
            except PausedError:
                self._turns.withdraw(turn)
                raise
            self._sent.append((self._clock(), size))
            self._sent_bytes += size
            self._forget()

    def facts(self) -> dict[str, Any]:
        """For `/status` and the heartbeat. Rates in Mbit/s; `sent_bytes` since the process began."""
        limit = self._limit()
        with self._changed:
            self._forget()
            used = sum(size for _, size in self._sent) / METER_SECONDS / BYTES_A_MBIT
        return {
            "limit_mbit": limit.mbit,
            "paused": self._pause if limit.mbit == 0 else None,
            "since": None if limit.since is None else text_of(limit.since),
            "changes_at": None if limit.until is None else text_of(limit.until),
            "next_limit_mbit": limit.following,
            "used_mbit": round(used, 2),
            "sent_bytes": self._sent_bytes,
        }

    def _wait(self, turn: Turn) -> None:
        while True:
            if self.paused(bulk=turn.bulk):
                raise PausedError("the line is paused")
            now = self._clock()
            self._turns.bucket.limit(self._rate(), now)
            seconds = self._turns.grant(now)
            if turn.granted:
                self._changed.notify_all()  # others may have been granted with it, or are next
                return
            self._changed.wait(min(seconds, LOOK_SECONDS))

    def _limit(self) -> Limit:
        return self._timetable.at(self._wall())

    def _rate(self) -> float | None:
        """Bytes a second; during a pause live uploads have no limit."""
        return self._limit().bytes_a_second or None

    def _forget(self) -> None:
        while self._sent and self._sent[0][0] < self._clock() - METER_SECONDS:
            self._sent.popleft()
