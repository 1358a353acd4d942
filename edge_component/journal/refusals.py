"""Instances that were answered with a failure status: how many, by sender, status and reason."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

MOST_ROWS = 1000
"""A sender may call itself anything, in every association: beyond it refusals are counted together."""
OTHERS = "(others)"
LONGEST_REASON = 64


@dataclass(frozen=True)
class Refusal:
    """One kind of refusal of one sender."""

    calling_ae: str
    status: int
    reason: str
    instances: int
    last_at: float

    @property
    def code(self) -> str:
        """The status as the field writes it."""
        return f"0x{self.status:04X}"


def count_refusal(journal: sqlite3.Connection, status: int, calling_ae: str, reason: str, now: float) -> None:
    """Count one, within the caller's transaction."""
    row = (calling_ae, status, reason[:LONGEST_REASON])
    known = journal.execute(
        "SELECT 1 FROM refusal WHERE calling_ae = ? AND status = ? AND reason = ?", row
    ).fetchone()
    if not known and journal.execute("SELECT count(*) FROM refusal").fetchone()[0] >= MOST_ROWS:
        row = (OTHERS, status, "")
    journal.execute(
        """INSERT INTO refusal VALUES (?, ?, ?, 1, ?)
           ON CONFLICT DO UPDATE SET instances = instances + 1, last_at = excluded.last_at""",
        (*row, now),
    )


def refusals(journal: sqlite3.Connection, since: float = 0.0) -> list[Refusal]:
    """The latest first."""
    rows = journal.execute("SELECT * FROM refusal WHERE last_at >= ? ORDER BY last_at DESC", (since,))
    return [Refusal(*row) for row in rows]


def forget_refusals(journal: sqlite3.Connection, before: float) -> None:
    """Of senders and reasons that have not come back since, within the caller's transaction."""
    journal.execute("DELETE FROM refusal WHERE last_at < ?", (before,))
