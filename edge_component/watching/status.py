"""Where everything is, in numbers: read from the journal, cumulative over restarts."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from edge_component.journal.channels import Channel, Notice, channels, notices
from edge_component.journal.database import REFUSED_STATUS, counters, open_journal
from edge_component.journal.refusals import Refusal, refusals
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
    "commitments_reported",
    "commitments_given_up",
    "instances_compressed",
    "compressed_bytes_before",
    "compressed_bytes_after",
)
SILENCE_SECONDS = 30.0
"""Silence is judged by hours: not at each look."""
MOST_SENDERS = 500
"""Named one by one; a sender may call itself anything."""


@dataclass(frozen=True)
class Backlog:
    """What is in the spool."""

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


def missing_since(journal: sqlite3.Connection, since: float) -> int:
    """Instances that were announced as missing."""
    row = journal.execute(
        """SELECT count(*) FROM series_transfer t JOIN receipt r USING (sequence)
            WHERE t.announced_at >= ? AND NOT r.uploaded""",
        (since,),
    ).fetchone()
    return int(row[0])


class JournalNumbers:
    """Counters and backlog, by a connection of its own. Any thread may ask."""

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._lock = threading.Lock()
        self._journal = open_journal(path)
        self._rhythm = Rhythm(self._journal, clock)
        self._silent: list[str] = []
        self._silent_until = 0.0

    def counters(self) -> dict[str, int]:
        """All cumulative counters, zero where nothing was counted yet."""
        with self._lock:
            return all_counters(self._journal)

    def refused_by_status(self) -> dict[str, int]:
        """Instances refused, by status."""
        with self._lock:
            found = counters(self._journal)
        return {
            name.removeprefix("refused_"): n for name, n in found.items() if name.startswith(REFUSED_STATUS)
        }

    def refusals(self, since: float = 0.0) -> list[Refusal]:
        """Instances refused, by sender, status and reason, the latest first."""
        with self._lock:
            return refusals(self._journal, since)

    def backlog(self) -> Backlog:
        """What is in the spool."""
        with self._lock:
            return backlog(self._journal)

    def instance_problems(self) -> dict[str, int]:
        """Why instances in the spool cannot be sent, and how many each."""
        with self._lock:
            rows = self._journal.execute(
                "SELECT problem, count(*) FROM instance WHERE problem IS NOT NULL GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
        return {row[0]: row[1] for row in rows}

    def series_problems(self) -> list[str]:
        """Why series cannot be announced."""
        with self._lock:
            rows = self._journal.execute(
                "SELECT problem FROM series_transfer WHERE announced_at IS NULL AND problem IS NOT NULL"
            ).fetchall()
        return [row[0] for row in rows]

    def channels(self) -> list[Channel]:
        """Whether instances and announcements get through to AWS."""
        with self._lock:
            return channels(self._journal)

    def notices(self, since: float) -> list[Notice]:
        """What happened and needs a person, although the edge has dealt with it."""
        with self._lock:
            return notices(self._journal, since)

    def senders(self) -> dict[str, str]:
        """When each application entity was last heard, of those that were heard last."""
        with self._lock:
            rows = self._journal.execute(
                "SELECT calling_ae, last_association_at FROM sender ORDER BY 2 DESC LIMIT ?", (MOST_SENDERS,)
            ).fetchall()
        return {row[0]: moment(row[1]).isoformat() for row in sorted(rows, key=lambda row: str(row[0]))}

    def silent(self) -> list[str]:
        """Who has fallen silent, as it was known within the last half minute."""
        with self._lock:
            if time.monotonic() >= self._silent_until:
                self._silent = self._rhythm.silent()
                self._silent_until = time.monotonic() + SILENCE_SECONDS
            return self._silent

    def close(self) -> None:
        """Release the journal."""
        with self._lock:
            self._journal.close()


BACKLOG = """
SELECT sum(number) FILTER (WHERE name NOT LIKE 'series%'), sum(bytes),
       (SELECT received_at FROM instance ORDER BY instance LIMIT 1), sum(problems),
       sum(number) FILTER (WHERE name = 'series_open'),
       sum(number) FILTER (WHERE name IN ('series_sealed', 'series_built'))
  FROM tally
"""
