"""When imports may start: paced, and given back where one will not be used."""

from __future__ import annotations

from datetime import datetime, timedelta

from dicom_ingest.contracts.platform.slots import FOR_BULK
from dicom_ingest.contracts.times import whole_second
from dicom_ingest.db.server.connection import Connection

PROMISED_SECONDS = 5.0
"""Starts are promised for this long ahead: what waits longer may become a bundle, or be overtaken by live."""
BULK_PROMISED_SECONDS = 1.0
"""To bulk series: a live series that comes now waits for them."""


class Pace:
    """GCRA: at most `burst` starts at once, `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int, theoretical_arrival: datetime) -> None:
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) * self._interval
        self.theoretical_arrival = theoretical_arrival

    def is_near(self, now: datetime, *, bulk: bool) -> bool:
        """Whether the next start is due within seconds. One is always promised, however slow the pace."""
        least = BULK_PROMISED_SECONDS if bulk else PROMISED_SECONDS
        ahead = timedelta(seconds=max(least, self._interval / (FOR_BULK if bulk else 1)))
        return self._next(now) <= now + ahead

    def _next(self, now: datetime) -> datetime:
        return max(now, self.theoretical_arrival - timedelta(seconds=self._tolerance))

    def next(self, now: datetime, *, bulk: bool = False) -> datetime:
        """When the next import may start, in whole seconds. A migration leaves a share of the starts unused.

        Else a live import whose start was throttled finds no start left when it tries again.
        """
        start_at = self._next(now)
        after = timedelta(seconds=self._interval / (FOR_BULK if bulk else 1))
        self.theoretical_arrival = max(self.theoretical_arrival, start_at) + after
        return whole_second(start_at)


# Starts that others have been promised stay theirs: the next one comes after the last of them.
_GIVE_START_BACK = """
UPDATE semaphore s SET next_start = LEAST(s.next_start, COALESCE(
    (SELECT max(p.start_at) FROM ahlijob p WHERE p.datastore_id = s.datastore_id
        AND p.own_slot AND p.state IN ('GRANTED', 'STARTING') AND p.start_at > clock_timestamp()),
    clock_timestamp()) + make_interval(secs => s.start_burst / s.start_rate))
WHERE s.datastore_id = :datastore_id
"""


def give_start_back(connection: Connection, datastore_id: str) -> None:
    """Starts that will not be used are free again: a thousand dead waiters must not delay the living.

    Call it when the tickets have lost their slots. It locks the semaphore, and tickets are locked first.
    """
    connection.run(_GIVE_START_BACK, datastore_id=datastore_id)
