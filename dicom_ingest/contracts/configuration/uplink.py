"""How much of its site's uplink an edge may use: rules by day and hour, as a person writes them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator

from dicom_ingest.contracts.messages.model import StrictModel

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LEAST_MBIT, MOST_MBIT = 0.1, 100_000.0
_HOURS = re.compile(r"(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)")
_DAY_MINUTES = 24 * 60


def _day(value: str) -> str:
    if value not in DAYS:
        raise ValueError(f"must be of {', '.join(DAYS)}, or a range such as mon-fri")
    return value


def _hours(value: str) -> str:
    found = _HOURS.fullmatch(value)
    start, end = _minutes(found) if found else (0, 0)
    if start >= _DAY_MINUTES or end > _DAY_MINUTES or start == end:
        raise ValueError("must be two times such as 07:00-18:30 or 22:00-06:00, or 00:00-24:00")
    return value


def _minutes(found: re.Match[str]) -> tuple[int, int]:
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    return 60 * start_hour + start_minute, 60 * end_hour + end_minute


def _mbit(value: float) -> float:
    if value != 0 and not LEAST_MBIT <= value <= MOST_MBIT:
        raise ValueError(f"must be 0 (a pause) or from {LEAST_MBIT:g} to {MOST_MBIT:.0f} Mbit/s")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError) as error:  # a folder of zones, a path, an unknown name
        raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
Pause = Literal["bulk", "all"]


class UplinkRule(StrictModel):
    """One limit and when it holds. Of several rules that hold at a time the first one counts."""

    days: list[Annotated[str, AfterValidator(_day)]] = list(DAYS)
    """Of `mon` to `sun`; ranges such as `mon-fri` are allowed. The day is the one on which `hours` begin."""
    hours: Annotated[str, AfterValidator(_hours)] = "00:00-24:00"
    """In the edge's local time. An end that is not after the start is on the next day."""
    mbit: Annotated[float, Field(allow_inf_nan=False), AfterValidator(_mbit)]
    """Megabits (1,000,000 bits) a second for all uploads together; 0 is a pause, see `uplink_pause`."""

    @field_validator("days", mode="before")
    @classmethod
    def _ranges(cls, value: Any) -> Any:
        """Days one by one. What is not understood stays as it is, and is named as a mistake."""
        given = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else value
        if not isinstance(given, list) or not given:
            raise ValueError("must name at least one day, such as [mon-fri] or sat")
        found: list[Any] = []
        for one in given:
            found += _range(one.lower()) if isinstance(one, str) else [one]
        return list(dict.fromkeys(found)) if all(isinstance(one, str) for one in found) else found

    @property
    def minutes(self) -> tuple[int, int]:
        """Start and end, in minutes after midnight of the first day; the end may be on the next day."""
        found = _HOURS.fullmatch(self.hours)
        assert found is not None  # noqa: S101 - it was validated
        start, end = _minutes(found)
        return start, end if end > start else end + _DAY_MINUTES


def _range(text: str) -> list[str]:
    first, dash, last = text.partition("-")
    if not dash or first not in DAYS or last not in DAYS:
        return [text]
    at, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
    return [DAYS[(at + step) % 7] for step in range(count)]


class LineConfig(StrictModel):
    """What an edge knows of its line to AWS. The defaults limit nothing."""

    uplink: list[UplinkRule] = []
    """Limits for uploads, by day and hour: `days`, `hours`, `mbit`. The first rule that holds counts. Without
    one, uploads are not limited. Announcements and heartbeats are small, and never limited."""
    uplink_pause: Pause = "bulk"
    """What a rule with `mbit: 0` pauses: uploads of `bulk` senders, or `all`."""
    time_zone: TimeZone | None = None
    """Of `uplink`, such as Europe/Berlin. None: the time zone of the machine."""
    full_warning_hours: float = Field(default=12, gt=0, le=168)
    """The edge warns when its disk will be full within this time, before its backlog is gone."""
