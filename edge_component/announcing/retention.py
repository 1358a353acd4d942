"""What may be forgotten, and when: receipts, quarantine, rows that nothing refers to."""

from __future__ import annotations

import sqlite3

from edge_component.journal.database import transaction
from edge_component.running import logs
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

DAY = 86400.0
EVERY_SECONDS = 600.0


class Retention:
    """Owned by one thread, which calls `run_once`. Never touches what was acknowledged and not announced."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        spool: Spool,
        settings: Settings,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._next_at = monotonic()

    def run_once(self) -> bool:
        """Forget what is due, every ten minutes."""
        if self._monotonic() < self._next_at:
            return False
        self._next_at = self._monotonic() + EVERY_SECONDS
        now = self._clock()
        self._forget_receipts(now - self._settings.receipt_days * DAY)
        self._empty_quarantine(now - self._settings.quarantine_days * DAY)
        # What was erased from the tables must not live on in the write-ahead log.
        self._journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return False

    def _forget_receipts(self, before: float) -> None:
        with transaction(self._journal) as journal:
            journal.execute(
                """DELETE FROM receipt WHERE file IS NULL AND sequence IN
                   (SELECT sequence FROM series_transfer WHERE announced_at < ?)""",
                (before,),
            )
            journal.execute(
                """DELETE FROM series_transfer WHERE announced_at < ?
                   AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.sequence = series_transfer.sequence)
                   AND sequence < (SELECT max(sequence) FROM series_transfer)""",
                (before,),
            )
            journal.execute("DELETE FROM commitment WHERE reported_at < ?", (before,))
            journal.execute(
                """DELETE FROM association WHERE closed_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.association = association.association)"""
            )

    def _empty_quarantine(self, before: float) -> None:
        removed = 0
        for path in self._spool.quarantine.iterdir():
            try:
                if path.stat().st_mtime < before and path.is_file():
                    path.unlink()
                    removed += 1
            except OSError as error:
                logs.warning("quarantine keeps a file", file=path.name, reason=error.strerror)
        if removed:
            logs.info("quarantine emptied", files=removed)
