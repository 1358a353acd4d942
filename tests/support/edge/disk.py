"""A disk that remembers what was synced, and can lose its power at any operation."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_component.running.buffers import Bytes
from edge_component.spool.files import WritableFile


class PowerCut(BaseException):
    """Everything that was not synced is gone."""


@dataclass
class _Inode:
    content: bytes = b""
    synced: bytes = b""


class RecordingFiles:
    """Names and contents, volatile and durable. `cut_at`: the operation before which the power goes.

    `full_at`: from this operation on the disk takes no more bytes.
    """

    def __init__(self, cut_at: int | None = None, full_at: int | None = None) -> None:
        self.cut_at = cut_at
        self.full_at = full_at
        self.operations: list[str] = []
        self._names: dict[Path, _Inode] = {}
        self._durable: dict[Path, _Inode] = {}

    def _operation(self, name: str) -> None:
        if self.cut_at is not None and len(self.operations) >= self.cut_at:
            raise PowerCut(name)
        self.operations.append(name)
        takes_space = name in ("create", "write", "sync")
        if takes_space and self.full_at is not None and len(self.operations) > self.full_at:
            raise OSError(errno.ENOSPC, "No space left on device")

    def create(self, path: Path) -> WritableFile:
        """A new name."""
        self._operation("create")
        if path in self._names:
            raise FileExistsError(path)
        self._names[path] = _Inode()
        return _File(self, self._names[path])

    def read(self, path: Path) -> BinaryIO:
        """What a program sees, synced or not."""
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return io.BytesIO(self._names[path].content)

    def rename(self, source: Path, target: Path) -> None:
        """The new name is volatile until its folder is synced."""
        self._operation("rename")
        self._names[target] = self._names.pop(source)

    def remove(self, path: Path) -> None:
        """The name is gone."""
        self._operation("remove")
        self._names.pop(path, None)

    def sync_folder(self, path: Path) -> None:
        """Names in this folder are durable now."""
        self._operation("sync_folder")
        kept = {name: inode for name, inode in self._durable.items() if name.parent != path}
        self._durable = kept | {name: inode for name, inode in self._names.items() if name.parent == path}

    def names(self, folder: Path) -> Iterator[str]:
        """What a program sees."""
        return (name.name for name in list(self._names) if name.parent == folder)

    def after_power_cut(self) -> dict[str, bytes]:
        """What the next start finds: durable names with their synced content."""
        return {name.name: inode.synced for name, inode in self._durable.items()}

    def after_a_kill(self) -> dict[str, bytes]:
        """The same where only the process ends."""
        return {name.name: inode.content for name, inode in self._names.items()}


class _File:
    def __init__(self, disk: RecordingFiles, inode: _Inode) -> None:
        self._disk, self._inode = disk, inode

    def write(self, at: int, *pieces: Bytes) -> int:
        self._disk._operation("write")
        data = b"".join(bytes(piece) for piece in pieces)
        before = self._inode.content[:at].ljust(at, b"\0")
        self._inode.content = before + data + self._inode.content[at + len(data) :]
        return len(data)

    def cut(self, size: int) -> None:
        self._disk._operation("cut")
        self._inode.content = self._inode.content[:size].ljust(size, b"\0")

    def sync(self) -> None:
        self._disk._operation("sync")
        self._inode.synced = self._inode.content

    def close(self) -> None:
        pass
