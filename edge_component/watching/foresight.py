"""Whether the disk will be full before the backlog is gone; looked at each second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from edge_component.journal.channels import Channel
from edge_component.line.forecast import Forecast, forecast
from edge_component.line.rates import Look, Rates
from edge_component.line.timetable import Limit, Timetable
from edge_component.receiving.watermark import Watermark, room_for
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock
from edge_component.running.problem import Problem, text_of
from edge_component.settings import Settings
from edge_component.watching.status import Backlog

BEHIND_SHARE = 1 / 30
"""Of `forecast_minutes`: what waits for longer waits for the line, or for AWS."""
SEE = "edge-disk-will-be-full"


class Numbers(Protocol):
    """What it reads of the journal (`status.JournalNumbers`)."""

    def counters(self) -> dict[str, int]:
        """Cumulative counters."""
        ...

    def backlog(self) -> Backlog:
        """What is in the spool."""
        ...

    def channels(self) -> list[Channel]:
        """What waits for AWS, and since when."""
        ...


class Foresight:
    """One thread looks, any thread may ask."""

    def __init__(
        self,
        settings: Settings,
        numbers: Numbers,
        watermark: Watermark,
        received_bulk: Callable[[], int],
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self._settings = settings
        self._numbers = numbers
        self._watermark = watermark
        self._received_bulk = received_bulk
        self._clock, self._monotonic = clock, monotonic
        self._timetable = Timetable(settings.uplink, settings.time_zone)
        self._seconds = 60 * settings.forecast_minutes
        self._rates = Rates(self._seconds, settings.uplink_pause)
        self._forecast = Forecast()
        self.limit = Limit()
        """Of the line, at the last look."""
        self._behind = False
        self._since: float | None = None

    def run_once(self) -> bool:
        """Look, and compute again."""
        now, backlog = self._clock(), self._numbers.backlog().bytes
        self.limit = self._timetable.at(now)
        oldest = [each.oldest_at for each in self._numbers.channels() if each.oldest_at is not None]
        behind = bool(oldest) and now - min(oldest) >= self._seconds * BEHIND_SHARE
        received = self._numbers.counters()["bytes_received"]
        self._rates.look(
            Look(self._monotonic(), received, self._received_bulk(), backlog, self.limit.mbit, behind)
        )
        self._behind = behind
        self._forecast = self._ahead(now, backlog) if behind else Forecast()
        self._since = None if self._warns(now) is None else self._since or now
        return False

    def facts(self) -> dict[str, Any]:
        """For `/status` and the heartbeat."""
        found, out = self._forecast, self._rates.outgoing(self.limit.mbit)
        hours = found.hours_until_full(self._clock())
        return {
            "forecast": {
                "behind": self._behind,
                "in_bytes_per_second": round(self._rates.incoming, 1),
                "out_bytes_per_second": None if out is None else round(out, 1),
                "disk_full_at": None if found.full_at is None else text_of(found.full_at),
                "backlog_empty_at": None if found.empty_at is None else text_of(found.empty_at),
            },
            "hours_until_full": None if hours is None else round(hours, 2),
        }

    def problem(self) -> Problem | None:
        """Why a person should act now."""
        if (hours := self._warns(self._clock())) is None:
            return None
        empty = self._forecast.empty_at
        gone = "will not shrink" if empty is None else f"will be gone at {text_of(empty)} only"
        reason = f"the disk will be full in {hours:.1f} hours if this goes on: the backlog {gone}"
        return Problem("forecast", reason, SEE, since=self._since)

    def _ahead(self, now: float, backlog: int) -> Forecast:
        return forecast(
            backlog,
            room_for(self._settings, self._watermark.disk, backlog),
            self._rates.incoming,
            self._timetable.ahead(now),
            self._rates.outgoing,
        )

    def _warns(self, now: float) -> float | None:
        hours = self._forecast.hours_until_full(now)
        return hours if hours is not None and hours <= self._settings.full_warning_hours else None
