"""Segments: files that instances are received into, one after the other.

Making and removing a file costs a file system more than the bytes of a small instance do. Segments are made
beforehand, in batches, so that their names are on the disk already. A reception has a segment alone; the next
reception takes it afterwards. A full or idle segment is sealed: nothing is written to it again, and it is
removed as a whole when nothing in it is needed any more.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edge_component.records.receipt import aligned
from edge_component.running import logs
from edge_component.running.clock import MONOTONIC, Clock
from edge_component.spool.files import Files, WritableFile

SEGMENT = ".segment"
BATCH = 16
"""Files made in one go, with one sync of the folder."""
FULL_BYTES = 16 * 1024 * 1024
"""A segment that has so much is sealed: its contents wait for its last instance before it goes."""
ROOM = bytes(512 * 1024)
"""Zeros that one of many small instances writes behind itself, for those that follow it."""
SMALL_BYTES = 64 * 1024
MANY = 8
"""Instances in a segment, each within `IDLE_SECONDS` of the one before."""
IDLE_SECONDS = 1.0
"""As is one into which nothing was received for so long."""

Sealed = Callable[[str, int], object]
"""Hears the name of a segment and how many instances it holds, after their rows."""


@dataclass
class Segment:
    """One of them. `end`: where the next record begins; `records`: how many are on the disk.

    `room`: how far the file reaches where zeros lie behind the last record. To replace them changes nothing
    that the file system has to note, so the sync takes half the time.
    """

    name: str
    file: WritableFile
    end: int = 0
    records: int = 0
    used_at: float = 0.0
    room: int = 0
    many: int = MANY
    """From so many records on zeros are written. A sender that breaks off each time is not worth them."""

    def ahead(self, size: int) -> bytes:
        """Zeros to be written behind an instance of so many bytes."""
        enough = self.end + size < self.room
        return b"" if enough or size > SMALL_BYTES or self.records < self.many else ROOM

    def grown(self, end: int, ahead: int = 0) -> None:
        """A record that ends there is on the disk, and so many zeros behind it."""
        self.end = aligned(end)
        self.room = max(self.room, end + ahead)
        self.records += 1

    def cut(self) -> None:
        """Nothing stays behind the last record.

        Raises:
            OSError: the disk.
        """
        self.file.cut(self.end)
        self.room, self.many = self.end, self.records + MANY


class Segments:
    """Segments of one process, for any thread to take; each has one owner at a time."""

    def __init__(self, files: Files, folder: Path, run: str, batch: int, clock: Clock = MONOTONIC) -> None:
        self.sealed: Sealed = lambda _name, _records: None
        self._files = files
        self._folder = folder
        self._run = run
        self._batch = batch
        self._clock = clock
        self._numbers = itertools.count(1)
        self._used: deque[Segment] = deque()
        """With instances in them, the one used last at the end."""
        self._spare: deque[Segment] = deque()
        self._low = threading.Event()
        self._closed = False
        self._keeper: threading.Thread | None = None

    def take(self) -> Segment:
        """One to write to; its name is on the disk.

        Raises:
            OSError: the disk would not take a new one.
        """
        with suppress(IndexError):
            return self._used.pop()
        while True:
            try:
                spare = self._spare.popleft()
            except IndexError:
                self._make()
                continue
            if len(self._spare) < self._batch // 2:
                self._low.set()
            return spare

    def give_back(self, segment: Segment) -> None:
        """Everything in it is on the disk, and its rows are on their way."""
        segment.used_at = self._clock()
        if segment.end >= FULL_BYTES or self._closed:
            self.seal(segment)
        else:
            (self._used if segment.records else self._spare).append(segment)

    def seal(self, segment: Segment) -> None:
        """Nothing will be written to it any more."""
        if segment.room > segment.end:
            with suppress(OSError):  # the room goes with the segment
                segment.cut()
        segment.file.close()
        if segment.records:
            self.sealed(segment.name, segment.records)
        else:
            with suppress(OSError):  # empty: the next start removes it
                self._files.remove(path_of(self._folder, segment.name))

    def seal_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Those that nothing was received into for a while, so that they can go when they are not needed."""
        with suppress(IndexError):
            while True:
                segment = self._used.popleft()
                if self._clock() - segment.used_at < seconds:
                    self._used.appendleft(segment)  # and none of the others has waited longer
                    return
                self.seal(segment)

    def keep(self) -> None:
        """From now on a thread makes files ahead of need, and seals idle ones."""
        self._low.set()
        self._keeper = threading.Thread(target=self._keep, name="segments", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Seal what was written to, remove what was not."""
        self._closed = True
        self._low.set()
        if self._keeper is not None:
            self._keeper.join()
        for pool in (self._used, self._spare):
            with suppress(IndexError):
                while True:
                    self.seal(pool.popleft())

    def _keep(self) -> None:
        while not self._closed:
            if self._low.wait(IDLE_SECONDS):
                self._low.clear()
                self._make_ahead()
            self.seal_idle()

    def _make_ahead(self) -> None:
        try:
            while len(self._spare) < self._batch and not self._closed:
                self._make()
        except OSError as error:  # the next reception meets it, and says so to the sender
            logs.warning("no file can be made in the spool", reason=str(error))

    def _make(self) -> None:
        made: list[Segment] = []
        try:
            for number in itertools.islice(self._numbers, self._batch):
                name = f"{self._run}-{number:08x}"
                made.append(Segment(name, self._files.create(path_of(self._folder, name))))
            self._files.sync_folder(self._folder)
        except OSError:
            for segment in made:
                self.seal(segment)
            raise
        self._spare.extend(made)


@lru_cache(maxsize=256)  # an instance is one of many in its segment
def path_of(folder: Path, name: str) -> Path:
    """The path of a segment."""
    return folder / f"{name}{SEGMENT}"
