"""Whether a way to the cloud works: since when it does not, why, and what waits. For status and heartbeat.

A channel is `upload` (instances to S3) or `announcement` (manifests to S3, events to EventBridge). Its owner
calls `succeeded` and `failed` within the transaction that writes the outcome. It fails from the first failure
after its last success. A fault of one object is not the channel's: see `instance.problem`.

A notice is something that happened and needs a person, although the edge has dealt with it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

UPLOAD, ANNOUNCEMENT = "upload", "announcement"
CHANNELS = (UPLOAD, ANNOUNCEMENT)
LONGEST_WORDS = 500

TRANSFER_REDRAWN = "transfer_redrawn"
"""S3 held another object under a key of a new transfer: its series is sent under a new transfer id."""
ATTRIBUTES_DROPPED = "attributes_dropped"
"""A series was announced without header attributes that cannot be written."""
NOT_COMPRESSED = "not_compressed"
"""An instance was sent as it was received, because the encoder is missing, crashed, or made another image."""


@dataclass(frozen=True)
class Channel:
    """How a channel is doing. Times in seconds since the epoch."""

    name: str
    last_success_at: float | None = None
    failing_since: float | None = None
    """None: it works, or was never used."""
    failed_at: float | None = None
    tries: int = 0
    """Failures in a row."""
    code: str = ""
    """The cloud's name for the last error (`AccessDenied`, `ReadTimeoutError`), until the next success."""
    words: str = ""
    """The cloud's own words for it."""
    waiting: int = 0
    """Instances to upload, or series to announce."""
    oldest_at: float | None = None
    """When the oldest of them was received or sealed."""


@dataclass(frozen=True)
class Notice:
    """What happened, how often, and the words for the last time."""

    name: str
    happened_at: float
    times: int
    words: str


def succeeded(journal: sqlite3.Connection, name: str, now: float) -> None:
    """The channel works: something went through."""
    journal.execute(
        """INSERT INTO channel (name, last_success_at) VALUES (?1, ?2)
           ON CONFLICT (name) DO UPDATE SET last_success_at = excluded.last_success_at,
               failing_since = NULL, tries = 0, code = '', words = ''""",
        (name, now),
    )


def failed(journal: sqlite3.Connection, name: str, now: float, code: str, words: str) -> None:
    """The service at its other end, or the way to it, failed."""
    journal.execute(
        """INSERT INTO channel (name, failing_since, failed_at, tries, code, words)
           VALUES (?1, ?2, ?2, 1, ?3, ?4)
           ON CONFLICT (name) DO UPDATE SET failing_since = coalesce(failing_since, excluded.failed_at),
               failed_at = excluded.failed_at, tries = tries + 1,
               code = excluded.code, words = excluded.words""",
        (name, now, code, words[:LONGEST_WORDS]),
    )


def notice(journal: sqlite3.Connection, name: str, now: float, words: str) -> None:
    """Something happened that needs a person."""
    journal.execute(
        """INSERT INTO notice (name, happened_at, times, words) VALUES (?, ?, 1, ?)
           ON CONFLICT (name) DO UPDATE SET happened_at = excluded.happened_at, times = times + 1,
               words = excluded.words""",
        (name, now, words[:LONGEST_WORDS]),
    )


def channels(journal: sqlite3.Connection) -> list[Channel]:
    """All channels, each with what waits for it."""
    found = {row["name"]: dict(row) for row in journal.execute("SELECT * FROM channel")}
    waiting = {name: journal.execute(WAITING[name]).fetchone() for name in CHANNELS}
    return [
        Channel(
            **{
                "name": name,
                **found.get(name, {}),
                "waiting": waiting[name][0],
                "oldest_at": waiting[name][1],
            }
        )
        for name in CHANNELS
    ]


def notices(journal: sqlite3.Connection, since: float = 0.0) -> list[Notice]:
    """Those of this time on, the last first."""
    rows = journal.execute(
        "SELECT name, happened_at, times, words FROM notice WHERE happened_at >= ? ORDER BY happened_at DESC",
        (since,),
    )
    return [Notice(*row) for row in rows]


WAITING = {
    UPLOAD: """
SELECT (SELECT sum(number) FROM tally WHERE name IN ('received', 'duplicate', 'assigned', 'sending')),
       (SELECT min(received_at) FROM instance WHERE instance IN (
            SELECT min(instance) FROM instance WHERE state = 'received' UNION ALL
            SELECT min(instance) FROM instance WHERE state = 'duplicate' UNION ALL
            SELECT min(instance) FROM instance WHERE state = 'assigned' UNION ALL
            SELECT min(instance) FROM instance WHERE state = 'sending'))
""",
    ANNOUNCEMENT: """
SELECT (SELECT number FROM tally WHERE name = 'series_built'),
       (SELECT sealed_at FROM series_transfer WHERE sequence = (SELECT min(sequence) FROM outbox))
""",
}
"""How many and since when: a handful of index lookups, however many they are."""
