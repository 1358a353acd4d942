"""The few file operations the spool is built of, so that a test can put a recording disk under it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from edge_component.running.buffers import Bytes

PositionalWrite = Callable[[int, Sequence[Bytes], int], int]
IN_ONE: PositionalWrite | None = getattr(os, "pwritev", None)
"""Writes several pieces at a place; Windows has no such call."""
EARLY_BYTES = 2 * 1024 * 1024
"""So much at a time begins its way to the disk while more comes: `sync` then has less to wait for."""


class WritableFile(Protocol):
    """A file being written; nothing is durable before `sync`."""

    def write(self, at: int, *pieces: Bytes) -> int:
        """One behind the other from this place on, in one call of the system where that is possible.

        Returns: how many bytes they are.
        """
        ...

    def cut(self, size: int) -> None:
        """Only the first bytes stay."""
        ...

    def sync(self) -> None:
        """Bring the content to the disk."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Files(Protocol):
    """A file system as the spool sees it."""

    def create(self, path: Path) -> WritableFile:
        """A new file; fails where one exists."""
        ...

    def read(self, path: Path) -> BinaryIO:
        """An existing file."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Atomic within one file system; the name is durable after `sync_folder`."""
        ...

    def remove(self, path: Path) -> None:
        """Gone; a file that is not there is no error."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Bring names to the disk."""
        ...

    def names(self, folder: Path) -> Iterator[str]:
        """What is in a folder."""
        ...


class _OsFile:
    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._fd = os.open(path, flags, 0o600)
        self._waiting = 0
        """Bytes before the last one written that nothing brings to the disk yet."""

    def write(self, at: int, *pieces: Bytes) -> int:
        size = write_whole(self._fd, at, pieces)
        self._waiting += size
        if self._waiting >= EARLY_BYTES:
            write_early(self._fd, at + size - self._waiting, self._waiting)
            self._waiting = 0
        return size

    def cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self._waiting = 0

    def sync(self) -> None:
        sync_data(self._fd)
        self._waiting = 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def write_whole(fd: int, at: int, pieces: Sequence[Bytes], in_one: PositionalWrite | None = IN_ONE) -> int:
    """All pieces, one behind the other; what one call does not write (a signal, a full disk), others do.

    Returns: how many bytes they are.
    """
    size, written = sum(map(len, pieces)), in_one(fd, pieces, at) if in_one else 0
    if written < size:
        left = b"".join(pieces)[written:]
        os.lseek(fd, at + written, os.SEEK_SET)
        while left:
            left = left[os.write(fd, left) :]
    return size


def write_early(fd: int, at: int, size: int) -> None:
    """Begin to bring these bytes to the disk, and do not wait: what was written and is dirty stays readable.

    Linux does so when it hears that dirty pages are not needed (mm/fadvise.c); other systems are left alone.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # advice: `sync` does it, and hears of the disk's errors
            os.posix_fadvise(fd, max(0, at), size, os.POSIX_FADV_DONTNEED)


def sync_data(fd: int) -> None:
    """fdatasync; fsync where there is none (macOS, Windows). Size and content are durable after both."""
    getattr(os, "fdatasync", os.fsync)(fd)


class OsFiles:
    """The real thing."""

    def create(self, path: Path) -> WritableFile:
        """A new file that only the edge's user may read."""
        return _OsFile(path)

    def read(self, path: Path) -> BinaryIO:
        """An existing file. Large pieces are read from it: a buffer between would only cost."""
        return cast("BinaryIO", path.open("rb", buffering=0))

    def rename(self, source: Path, target: Path) -> None:
        """Replace is atomic on POSIX and on NTFS."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Gone."""
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Windows cannot open a folder; NTFS journals its names itself."""
        if not hasattr(os, "O_DIRECTORY"):
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def names(self, folder: Path) -> Iterator[str]:
        """Names only, in no order."""
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
