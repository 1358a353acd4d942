"""Which sender has fallen silent, judged by its own weeks before: kept in the journal, over restarts.

Nights, weekends and clinics once a week are part of a rhythm; a holiday is not, and is called silence.
"""

from __future__ import annotations

import sqlite3

from edge_component.journal.database import transaction
from edge_component.running.clock import SYSTEM_CLOCK, Clock

HOUR, WEEK = 3600.0, 7 * 86400.0
SLOT_SECONDS = 900.0
"""What is remembered of a sender: the quarters of an hour in which it was heard."""
WEEKS = 2
"""So many weeks must agree: a newcomer has no rhythm before."""
KEPT_SECONDS = (WEEKS + 1) * WEEK
"""Who has said nothing for so long is expected no more."""
MOST_SENDERS = 2000
SHORTEST_SECONDS = HOUR
EXPECTED_SLOTS = 3


MOST_SENDERS = 1000
"""Application entities that are remembered. A peer may call itself differently each time."""


def heard(journal: sqlite3.Connection, calling_ae: str, at: float) -> None:
    """An application entity has opened an association. The one unheard longest makes room for it."""
    journal.execute(
        """INSERT INTO sender VALUES (?, ?)
           ON CONFLICT (calling_ae) DO UPDATE SET last_association_at = excluded.last_association_at""",
        (calling_ae, at),
    )
    [known] = journal.execute("SELECT count(*) FROM sender").fetchone()
    if known > MOST_SENDERS:
        journal.execute(
            """DELETE FROM sender WHERE calling_ae IN
               (SELECT calling_ae FROM sender ORDER BY last_association_at LIMIT ?)""",
            (known - MOST_SENDERS,),
        )


class Rhythm:
    """Of each sender. The heartbeat remembers it; status asks for it."""

    def __init__(self, journal: sqlite3.Connection, clock: Clock = SYSTEM_CLOCK) -> None:
        self._journal = journal
        self._clock = clock
        self._started_at = clock()

    def remember(self) -> None:
        """Who was heard lately: often enough, it sees every quarter of an hour."""
        with transaction(self._journal) as journal:
            journal.execute(
                """INSERT OR IGNORE INTO sender_heard
                   SELECT calling_ae, CAST(last_association_at / ? AS INTEGER) FROM sender""",
                (SLOT_SECONDS,),
            )
            journal.execute("DELETE FROM sender_heard WHERE slot < ?", (_slot(self._clock() - KEPT_SECONDS),))
            # Any peer may call itself anything, in each association: only so many are remembered.
            journal.execute(
                """DELETE FROM sender WHERE last_association_at < ? OR calling_ae NOT IN
                   (SELECT calling_ae FROM sender ORDER BY last_association_at DESC LIMIT ?)""",
                (self._clock() - KEPT_SECONDS, MOST_SENDERS),
            )

    def silent(self) -> list[str]:
        """Who is quiet for an hour or longer, although the same hours of both weeks before were not.

        Time in which this edge did not run is not held against anybody.
        """
        now = self._clock()
        heard = self._journal.execute(
            "SELECT calling_ae, last_association_at FROM sender ORDER BY 1"
        ).fetchall()
        return [row[0] for row in heard if self._is_silent(row[0], max(row[1], self._started_at), now)]

    def _is_silent(self, calling_ae: str, since: float, now: float) -> bool:
        if now - since < SHORTEST_SECONDS:
            return False
        weeks = (week * WEEK for week in range(1, WEEKS + 1))
        return all(self._heard(calling_ae, since - ago, now - ago) >= EXPECTED_SLOTS for ago in weeks)

    def _heard(self, calling_ae: str, after: float, until: float) -> int:
        """In how many slots."""
        row = self._journal.execute(
            "SELECT count(*) FROM sender_heard WHERE calling_ae = ? AND slot > ? AND slot <= ?",
            (calling_ae, _slot(after), _slot(until)),
        ).fetchone()
        return int(row[0])


def _slot(moment: float) -> int:
    return int(moment // SLOT_SECONDS)
