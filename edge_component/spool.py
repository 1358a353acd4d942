"""The spool: written aside, synced, renamed, the folder synced. Nothing here is named by the network."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_component.files import Files, OsFiles, WritableFile
from edge_component.part10 import part10_head

PART = ".part"
INSTANCE = ".dcm"
REASON = ".json"


class SpoolError(OSError):
    """The disk would not take an instance (full, gone, read-only): nothing was acknowledged."""


@dataclass(frozen=True)
class WrittenFile:
    """A file on disk under its final name, synced. `dataset_offset`: where the data set begins."""

    name: str
    bytes: int
    file_sha256: str
    dataset_sha256: str


class IncomingFile:
    """An instance on its way in: hashed as it passes, under a name of our own choosing.

    After an error of the disk it swallows the rest of the stream, so that the sender hears a status.
    """

    def __init__(
        self, spool: Spool, name: str, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> None:
        self.name = name
        self.dataset_bytes = 0
        self.error: OSError | None = None
        self._spool = spool
        self._part = spool.instances / f"{name}{PART}"
        self._head = part10_head(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        self._file_hash = hashlib.sha256(self._head)
        self._dataset_hash = hashlib.sha256(transfer_syntax_uid.encode("ascii") + b"\0")
        self._file: WritableFile | None = None
        try:
            self._file = spool.files.create(self._part)
            self._file.write(self._head)
        except OSError as error:
            self.error = error

    @property
    def path(self) -> Path:
        """Where the bytes lie until `keep`."""
        return self._part

    @property
    def head_bytes(self) -> int:
        """Where the data set begins."""
        return len(self._head)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """The next piece of the data set."""
        self.dataset_bytes += len(data)
        if self.error is not None or self._file is None:
            return
        self._file_hash.update(data)
        self._dataset_hash.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error

    def keep(self) -> WrittenFile:
        """Durable under its final name.

        Raises:
            SpoolError: the disk would not take it; nothing is left of it.
        """
        final = f"{self.name}{INSTANCE}"
        try:
            if self.error is not None:
                raise self.error
            assert self._file is not None  # noqa: S101 - no error, hence a file
            self._file.sync()
            self._close()
            self._spool.files.rename(self._part, self._spool.instances / final)
            self._spool.files.sync_folder(self._spool.instances)
        except OSError as error:
            self.abandon()
            raise SpoolError(error.errno, f"the spool did not take {self.name}: {error.strerror}") from error
        size = len(self._head) + self.dataset_bytes
        return WrittenFile(final, size, self._file_hash.hexdigest(), self._dataset_hash.hexdigest())

    def abandon(self) -> None:
        """Gone: it was never acknowledged. Whoever else sends the same instance has another file."""
        self._close()
        with suppress(OSError):  # the part file goes to quarantine at the next start
            self._spool.files.remove(self._part)

    def quarantine(self, reason: str, **facts: str) -> None:
        """Out of the way, for a person to look at, with the reason; it was not acknowledged."""
        self._close()
        self._spool.quarantine_file(self._part, reason, **facts)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


class Spool:
    """Folders of the spool; `files` is the disk under it."""

    def __init__(self, root: Path, files: Files | None = None) -> None:
        self.root = root
        self.files: Files = files or OsFiles()
        self.instances = root / "instances"
        self.quarantine = root / "quarantine"
        self.aside = root / "aside"
        """Acknowledged, announced as missing: never removed by us."""
        self.again = root / "again"
        """Asked by an operator to be sent again; the worker takes them from here."""
        self.journal = root / "journal.sqlite3"
        self._lock = threading.Lock()
        self._count = 0
        self._run = secrets.token_hex(8)

    def prepare(self) -> None:
        """Make the folders; never removes anything."""
        for folder in (self.root, self.instances, self.quarantine, self.aside, self.again):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.files.sync_folder(self.root)

    def receive(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> IncomingFile:
        """A new incoming file under a name that was never used before."""
        with self._lock:
            self._count += 1
            name = f"{self._run}-{self._count:08x}"
        return IncomingFile(self, name, sop_class_uid, sop_instance_uid, transfer_syntax_uid)

    def path(self, name: str) -> Path:
        """Where an instance lies."""
        return self.instances / name

    def remove(self, name: str) -> None:
        """Called when S3 has the instance and the bus has accepted the event, or for a duplicate."""
        self.files.remove(self.instances / name)

    def put_aside(self, name: str) -> None:
        """Keep a file that was announced as missing where a person finds it and no start adopts it."""
        with suppress(FileNotFoundError):  # gone behind our back: that is why it is missing
            self.files.rename(self.instances / name, self.aside / name)

    def take_again(self, name: str) -> None:
        """Back among the instances, durably: a file that an operator wants to be sent again."""
        self.files.rename(self.again / name, self.instances / name)
        for folder in (self.instances, self.again):
            self.files.sync_folder(folder)

    def quarantine_file(self, path: Path, reason: str, **facts: str) -> None:
        """Move a file that was not acknowledged out of the way, with the reason beside it."""
        note = self.quarantine / f"{path.stem}{REASON}"
        with suppress(OSError):  # a full disk has no room for a note: what was not acknowledged may go
            note.write_text(json.dumps({"reason": reason, **facts}, sort_keys=True), encoding="utf-8")
            self.files.rename(path, self.quarantine / f"{path.stem}{INSTANCE}")
            return
        with suppress(OSError):
            self.files.remove(path)

    def instance_files(self) -> Iterator[str]:
        """Names of complete instance files."""
        return (name for name in self.files.names(self.instances) if name.endswith(INSTANCE))

    def part_files(self) -> Iterator[str]:
        """Names of files whose reception was cut off: none of them was acknowledged."""
        return (name for name in self.files.names(self.instances) if name.endswith(PART))
