"""Files made beforehand: when an instance comes, its name is on the disk already."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

from edge_component import logs
from edge_component.files import Files, WritableFile

PART = ".part"
BATCH = 32
"""Files made in one go, with one sync of the folder."""


class Spares:
    """Empty files, for any thread to take; made when the last is gone, or ahead of need by a thread."""

    def __init__(self, files: Files, folder: Path, run: str, batch: int) -> None:
        self._files = files
        self._folder = folder
        self._run = run
        self._batch = batch
        self._numbers = itertools.count(1)
        self._spares: deque[tuple[str, WritableFile]] = deque()
        self._low = threading.Event()
        self._closed = False
        self._maker: threading.Thread | None = None

    def take(self) -> tuple[str, WritableFile]:
        """An empty file whose name is on the disk: the name without suffix, and the file.

        Raises:
            OSError: the disk would not take one.
        """
        while True:
            try:
                spare = self._spares.popleft()
            except IndexError:
                self._make()
                continue
            if len(self._spares) < self._batch:
                self._low.set()
            return spare

    def make_ahead(self) -> None:
        """From now on, in a thread: whoever receives finds them made."""
        self._low.set()
        self._maker = threading.Thread(target=self._keep, name="spares", daemon=True)
        self._maker.start()

    def _keep(self) -> None:
        while self._low.wait() and not self._closed:
            self._low.clear()
            try:
                while len(self._spares) < self._batch and not self._closed:
                    self._make()
            except OSError as error:  # whoever receives meets it himself, and says so to the sender
                logs.warning("no file can be made in the spool", reason=str(error))

    def _make(self) -> None:
        made: list[tuple[str, WritableFile]] = []
        try:
            for number in itertools.islice(self._numbers, self._batch):
                stem = f"{self._run}-{number:08x}"
                made.append((stem, self._files.create(self._folder / f"{stem}{PART}")))
            self._files.sync_folder(self._folder)
        except OSError:
            self._discard(made)
            raise
        self._spares.extend(made)

    def close(self) -> None:
        """Remove the files that nothing was written to."""
        self._closed = True
        self._low.set()
        if self._maker is not None:
            self._maker.join()
        with suppress(IndexError):
            while True:
                self._discard([self._spares.popleft()])

    def _discard(self, spares: list[tuple[str, WritableFile]]) -> None:
        for stem, file in spares:
            file.close()
            with suppress(OSError):  # empty: the next start removes it
                self._files.remove(self._folder / f"{stem}{PART}")
