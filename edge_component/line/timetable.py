"""Which limit holds when: rules in local time become moments, over midnight and clock changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from dicom_ingest.contracts.configuration.uplink import DAYS, UplinkRule

DAYS_AROUND = 9
SECONDS_AROUND = 8 * 86400.0
"""Rules repeat each week: what does not change within it does not change at all."""
BYTES_A_MBIT = 125_000
HOUR = 3600.0
HORIZON_SECONDS = 14 * 86400.0
"""Nothing is said about what is further away."""
Stretch = tuple[float, float, float | None]
"""Start, end, and the limit in between, in Mbit/s."""


@dataclass(frozen=True)
class Limit:
    """Megabits a second, None without a limit; and when that began, ends, and what follows.

    Times in seconds since 1970; None where it has held, or will hold, for longer than a week.
    """

    mbit: float | None = None
    since: float | None = None
    until: float | None = None
    following: float | None = None

    def holds(self, now: float) -> bool:
        """Whether this is the limit at a moment."""
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)

    @property
    def bytes_a_second(self) -> float | None:
        """The limit in bytes."""
        return None if self.mbit is None else self.mbit * BYTES_A_MBIT


class Timetable:
    """The first rule whose hours include a moment gives the limit; where there is none, nothing limits."""

    def __init__(self, rules: Sequence[UplinkRule] = (), time_zone: str | None = None) -> None:
        self._rules = rules
        self._zone = ZoneInfo(time_zone) if time_zone else None
        self._last: Limit | None = None
        self._ahead: list[Stretch] = []

    def at(self, now: float) -> Limit:
        """The limit at a moment. It is asked often, and computed where it changes."""
        if (found := self._last) is None or not found.holds(now):
            found = self._last = self._limit(now)
        return found

    def ahead(self, now: float) -> Iterator[Stretch]:
        """Start, end and limit of each stretch of the two weeks from now on, or a little less."""
        if not self._ahead or not self._ahead[0][0] <= now < min(self._ahead[0][1], self._ahead[0][0] + HOUR):
            self._ahead = list(self._stretches(now, now + HORIZON_SECONDS))
        (_, until, limit), *later = self._ahead
        yield now, until, limit
        yield from later

    def _stretches(self, start: float, end: float) -> Iterator[Stretch]:
        while start < end:
            limit = self._limit(start)
            until = end if limit.until is None else min(limit.until, end)
            yield start, until, limit.mbit
            start = until

    def _limit(self, now: float) -> Limit:
        windows = [(start, end, rule.mbit) for rule in self._rules for start, end in self._windows(rule, now)]

        def mbit(moment: float) -> float | None:
            return next((limit for start, end, limit in windows if start <= moment < end), None)

        current = mbit(now)
        moments = {moment for start, end, _ in windows for moment in (start, end)}
        changes = sorted(moment for moment in moments if abs(moment - now) < SECONDS_AROUND)
        past = [moment for moment in changes if moment <= now]
        before = zip(reversed(past), reversed(past[:-1]), strict=False)
        since = next((moment for moment, earlier in before if mbit(earlier) != current), None)
        until = next((moment for moment in changes if moment > now and mbit(moment) != current), None)
        return Limit(current, since, until, None if until is None else mbit(until))

    def _windows(self, rule: UplinkRule, now: float) -> Iterator[tuple[float, float]]:
        today = datetime.fromtimestamp(now, self._zone).date()
        first, last = rule.minutes
        for offset in range(-DAYS_AROUND, DAYS_AROUND + 1):
            day = today + timedelta(days=offset)
            if DAYS[day.weekday()] in rule.days:
                yield self._moment(day, first), self._moment(day, last)

    def _moment(self, day: date, minutes: int) -> float:
        """What the clock on the wall says, in seconds since 1970.

        Of a time that comes twice it is the first. One that is left out is as far from midnight as it says
        (PEP 495).
        """
        days, left = divmod(minutes, 24 * 60)
        at = clock_time(left // 60, left % 60)
        return datetime.combine(day + timedelta(days=days), at, tzinfo=self._zone).timestamp()
