"""Hashes of instances that share a UID, each from its file: what the disk does not give is tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from edge_component.journal import instances
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.clock import Clock
from edge_component.settings import Settings
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import AlteredError, Stored, digest_of

ALTERED = "spool file was altered"
UNREADABLE = "spool file cannot be read: No such file or directory"


class Needed(NamedTuple):
    """`sha256`: of an instance whose UID another one has; `problem`: why it is not known.

    `earlier`: hashes by instance that the journal has not.
    """

    sha256: str | None = None
    problem: str | None = None
    earlier: Mapping[int, str] = MappingProxyType({})


class Hashes:
    """Owned by the assembler's thread."""

    def __init__(
        self, journal: sqlite3.Connection, spool: Spool, settings: Settings, monotonic: Clock
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._monotonic = monotonic
        self._patience = settings.series_patience_seconds
        self._unread = Schedule(Backoff(settings.backoff_base_seconds, settings.backoff_cap_seconds))
        self._unread_since: dict[int, float] = {}
        """Instances that the disk does not give at present."""

    def failing(self) -> int:
        """How many the disk does not give at present."""
        return self._unread.failing()

    def needed(self, row: sqlite3.Row) -> Needed | None:
        """What says whether it is the same instance again. None: that cannot be read now, and is tried again.

        Nothing is read where no other instance has its UID: its hash is computed when it is sent.
        """
        if not row["again"]:
            return Needed()
        earlier: dict[int, str] = {}
        for one in instances.not_hashed(self._journal, row["sop_instance_uid"]):
            if (found := self._of(one)) is None:
                return None
            if found[0] is not None:  # else it is not known to be the same
                earlier[one["instance"]] = found[0]
        return None if (found := self._of(row)) is None else Needed(*found, earlier)

    def _of(self, row: sqlite3.Row) -> tuple[str | None, str | None] | None:
        """Its SHA-256, or why it has none."""
        stored = Stored(row["file"], row["bytes"], row["file_crc32"])
        instance, now = row["instance"], self._monotonic()
        if not self._unread.ready(instance, now):
            return None
        sha256, problem = None, None
        try:
            sha256 = digest_of(self._spool, stored).sha256
        except (AlteredError, FileNotFoundError) as error:
            problem = ALTERED if isinstance(error, AlteredError) else UNREADABLE
            logs.error("spool file is not what was received", file=stored.file, reason=str(error))
        except OSError as error:
            problem = f"spool file cannot be read: {error.strerror}"
            again = round(self._unread.failed(instance, now) - now, 1)
            logs.error("spool file cannot be read", file=stored.file, reason=error.strerror, retry_in=again)
            instances.postponed(self._journal, instance, problem)
            since = self._unread_since.setdefault(instance, now)
            if now - since < self._patience:
                return None
        self._unread.done(instance)
        self._unread_since.pop(instance, None)
        return sha256, problem
