"""How many slots live series need, by hour of the day: a migration leaves them free."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

HOURS = 24
FADES = 8
"""Each day an hour forgets this part of what it has seen: a holiday or a broken line is over some day."""


@dataclass
class Reserve:
    """The most slots that live series needed at once: `by_hour` of the day (UTC), last seen in `hour`."""

    by_hour: list[int]
    hour: datetime | None
    changed: bool = False

    def about(self, now: datetime) -> int:
        """What was needed in this hour and in the ones beside it: an import that starts now may be long."""
        hour = now.astimezone(timezone.utc).hour
        return max(self.by_hour[(hour + beside) % HOURS] for beside in (-1, 0, 1))

    def saw(self, needed: int, now: datetime) -> None:
        """So many are needed now."""
        utc = now.astimezone(timezone.utc)
        hour, known = utc.replace(minute=0, second=0, microsecond=0), self.by_hour[utc.hour]
        if self.hour is None or self.hour < hour:
            known -= -(-known // FADES)
            self.hour, self.changed = hour, True
        self.changed = self.changed or needed > known
        self.by_hour[utc.hour] = max(known, needed)
