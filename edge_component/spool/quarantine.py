"""Copies of refused instances for a person to look at: within a bound, the oldest go first."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from pathlib import Path

from edge_component.running import logs

INSTANCE, REASON = ".dcm", ".json"
SHARE = 100
"""Without a setting: one of so many parts of the disk."""
MOST_FILES = 10_000
LOOK_AGAIN = 16
"""The folder is measured again after this part of the bound was added: other processes add to it, too."""
LARGEST = 4
"""An instance that would take more than this part of the bound is not copied."""


class Quarantine:
    """The folder. Any thread may add to it; each process keeps within the bound by itself."""

    def __init__(self, folder: Path, most_bytes: int | None = None) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        self._added_bytes: int | None = None
        self._added_files = 0

    @property
    def bound(self) -> int:
        """Bytes that may be in it.

        Raises:
            OSError: the disk.
        """
        if self.most_bytes is not None:
            return self.most_bytes
        return shutil.disk_usage(self.folder).total // SHARE

    def place_for(self, name: str, size: int) -> Path | None:
        """Where a copy of so many bytes goes, without its suffix; None: it is too large to be kept.

        Raises:
            OSError: the disk.
        """
        bound = self.bound
        if size > bound // LARGEST:
            return None
        with self._lock:
            if self._added_bytes is None or self._is_due(bound):
                self._make_room(bound)
                self._added_bytes, self._added_files = 0, 0
            self._added_bytes += size
            self._added_files += 1
        return self.folder / f"{name}-{secrets.token_hex(4)}"

    def _is_due(self, bound: int) -> bool:
        assert self._added_bytes is not None  # noqa: S101 - the caller has looked
        return self._added_bytes > bound // LOOK_AGAIN or self._added_files > MOST_FILES // LOOK_AGAIN

    def _make_room(self, bound: int) -> None:
        """So that what is added until the next look still fits."""
        with os.scandir(self.folder) as entries:
            found = [(entry.stat().st_mtime, entry.stat().st_size, Path(entry.path)) for entry in entries]
        kept = sorted(each for each in found if each[2].suffix == INSTANCE)
        total, removed = sum(size for _, size, _ in kept), 0
        room, files = bound - bound // LARGEST - bound // LOOK_AGAIN, MOST_FILES - MOST_FILES // LOOK_AGAIN
        for _, size, path in kept:
            if total <= room and len(kept) - removed <= files:
                break
            path.unlink(missing_ok=True)
            path.with_suffix(REASON).unlink(missing_ok=True)
            total, removed = total - size, removed + 1
        if removed:
            logs.warning("oldest files of the quarantine removed", files=removed, bound_bytes=bound)
