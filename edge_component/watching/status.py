"""Where everything is, in numbers: read from the journal, cumulative over restarts."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from edge_component.journal.database import REFUSED_STATUS, counters, open_journal
from edge_component.journal.senders import Rhythm
from edge_component.running.clock import SYSTEM_CLOCK, Clock, moment

COUNTERS = (
    "instances_received",
    "bytes_received",
    "instances_duplicate",
    "instances_refused",
    "instances_uploaded",
    "upload_retries",
    "instances_announced",
    "instances_missing",
    "series_announced",
)


@dataclass(frozen=True)
class Backlog:
    """What lies in the spool."""

    instances: int
    bytes: int
    oldest_at: float | None
    with_problem: int
    series_open: int
    series_sealed: int

    def oldest_seconds(self, now: float) -> float:
        """For how long the oldest has been waiting; 0 where it is from the future of a clock set back."""
        return max(0.0, now - self.oldest_at) if self.oldest_at is not None else 0.0


def backlog(journal: sqlite3.Connection) -> Backlog:
    """Running sums, kept by the journal: the cost does not grow with the backlog."""
    row = journal.execute(BACKLOG).fetchone()
    return Backlog(row[0], row[1], row[2], row[3], row[4], row[5])


def all_counters(journal: sqlite3.Connection) -> dict[str, int]:
    """All cumulative counters, zero where nothing was counted yet."""
    found = counters(journal)
    return {name: found.get(name, 0) for name in COUNTERS}


class JournalNumbers:
    """Counters and backlog by a connection of its own, for one thread at a time."""

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._journal = open_journal(path)
        self._rhythm = Rhythm(self._journal, clock)

    def counters(self) -> dict[str, int]:
        """All cumulative counters, zero where nothing was counted yet."""
        return all_counters(self._journal)

    def refusals(self) -> dict[str, int]:
        """Instances refused, by status."""
        found = counters(self._journal)
        return {
            name.removeprefix("refused_"): n for name, n in found.items() if name.startswith(REFUSED_STATUS)
        }

    def backlog(self) -> Backlog:
        """What lies in the spool."""
        return backlog(self._journal)

    def senders(self) -> dict[str, str]:
        """When each application entity was last heard."""
        rows = self._journal.execute("SELECT calling_ae, last_association_at FROM sender ORDER BY calling_ae")
        return {row[0]: moment(row[1]).isoformat() for row in rows}

    def silent(self) -> list[str]:
        """Who has fallen silent."""
        return self._rhythm.silent()

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()


BACKLOG = """
SELECT sum(number) FILTER (WHERE name NOT LIKE 'series%'), sum(bytes),
       (SELECT received_at FROM instance ORDER BY instance LIMIT 1), sum(problems),
       sum(number) FILTER (WHERE name = 'series_open'),
       sum(number) FILTER (WHERE name IN ('series_sealed', 'series_built'))
  FROM tally
"""
