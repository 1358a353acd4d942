"""What is in a spool, for a person: read only, while its edge runs or when all that is left is the disk."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from edge_component.journal.database import JournalError
from edge_component.journal.reading import open_to_read, state_of
from edge_component.records.receipt import Record, place
from edge_component.spool.folder import Spool

NO_ROW = "no row"
"""The journal does not know it (yet): a start adopts it."""
NO_JOURNAL = "no journal"


@dataclass(frozen=True)
class Found:
    """An instance in a segment. `file`: its place; `state`: by the journal, `NO_ROW` or `NO_JOURNAL`."""

    record: Record
    file: str
    state: str


class Contents:
    """Segments come and go meanwhile: what is gone was released, and is passed over."""

    def __init__(self, spool: Spool) -> None:
        self.damaged = False
        """Something could not be read; standard error says what."""
        self._spool = spool
        self._journal: sqlite3.Connection | None = None
        try:
            self._journal = open_to_read(spool.journal)
        except (JournalError, sqlite3.Error) as error:
            _say(f"no journal can be read: {error}")

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    def instances(self) -> Iterator[Found]:
        """All of them, segment by segment, each in the order of receipt."""
        for segment in self._spool.segment_names():
            try:
                yield from self._instances(segment)
            except OSError as error:
                self.damaged = True
                _say(f"segment {segment} cannot be read to its end: {error.strerror}")

    def _instances(self, segment: str) -> Iterator[Found]:
        with suppress(FileNotFoundError):
            for record in self._spool.records(segment):
                file = place(segment, record.at)  # its real place, whatever it says of itself
                state = self._state(file)
                # The journal forgets a segment after it was removed: then this is no instance without a row.
                if state == NO_ROW and not self._spool.segment(segment).exists():
                    return
                yield Found(record, file, state)

    def _state(self, file: str) -> str:
        if self._journal is None:
            return NO_JOURNAL
        try:
            return state_of(self._journal, file) or NO_ROW
        except sqlite3.Error as error:
            self.close()
            self._journal = None
            _say(f"the journal cannot be read any further: {error}")
            return NO_JOURNAL


def _say(problem: str) -> None:
    sys.stderr.write(f"{problem}\n")
