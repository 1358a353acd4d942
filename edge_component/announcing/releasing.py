"""What was announced leaves the spool: instances one by one, their segments as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

from edge_component.journal import instances
from edge_component.journal.database import transaction
from edge_component.journal.releases import emptied, forget
from edge_component.running import logs
from edge_component.running.backoff import Schedule
from edge_component.running.clock import Clock
from edge_component.spool.folder import Spool

RELEASES = 1000
ASIDE = 100
"""Missing instances a step: each is copied, and whatever is behind them waits."""


class Releases:
    """Owned by the announcer's thread. `disk`: when what the disk did not allow is tried again."""

    def __init__(self, journal: sqlite3.Connection, spool: Spool, disk: Schedule, monotonic: Clock) -> None:
        self._journal = journal
        self._spool = spool
        self._disk = disk
        self._monotonic = monotonic

    def run_once(self) -> bool:
        """Release instances, then segments; True: something was done."""
        released = self._release()
        return self._sweep() or released

    def _release(self) -> bool:
        """Release what is in S3; put aside what is missing, which a full disk may not allow yet."""
        rows = self._journal.execute(UNRELEASED, (1, RELEASES)).fetchall()
        done = [row["file"] for row in rows]
        rows = self._journal.execute(UNRELEASED, (0, ASIDE + self._disk.failing())).fetchall()
        done += [row["file"] for row in rows if self._put_aside(row["file"], row["bytes"])]
        if not done:
            return False
        with transaction(self._journal) as journal:
            instances.released(journal, done)
        return True

    def _sweep(self) -> bool:
        """Remove the segments in which nothing is needed any more."""
        gone = [segment for segment in emptied(self._journal) if self._remove(segment)]
        if not gone:
            return False
        # Forgotten only when the names are gone for good: a start would take what came back for new.
        self._spool.files.sync_folder(self._spool.instances)
        with transaction(self._journal) as journal:
            forget(journal, gone)
        return True

    def _put_aside(self, file: str, size: int) -> bool:
        return self._disk_allows("put aside", file, partial(self._spool.put_aside, file, size))

    def _remove(self, segment: str) -> bool:
        path = self._spool.segment(segment)
        return self._disk_allows("remove segment", segment, partial(self._spool.files.remove, path))

    def _disk_allows(self, what: str, name: str, act: Callable[[], object]) -> bool:
        """False: not now (no room; somebody reads it, where that forbids it); it is tried again."""
        now = self._monotonic()
        if not self._disk.ready(name, now):
            return False
        try:
            act()
        except OSError as error:
            again = round(self._disk.failed(name, now) - now, 1)
            logs.error(
                "the disk does not allow it", what=what, file=name, reason=error.strerror, retry_in=again
            )
            return False
        self._disk.done(name)
        return True


UNRELEASED = "SELECT file, bytes FROM receipt WHERE file IS NOT NULL AND uploaded = ? LIMIT ?"
