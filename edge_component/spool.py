"""The spool: instances as they came, each with its receipt behind it. Nothing here is named by the network.

One sync an instance: its file was made beforehand, so its name is on the disk already. The new name that a
whole instance gets is for the eye; what tells it from one that was cut off is the receipt at its end.
"""

from __future__ import annotations

import io
import json
import secrets
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from edge_component.files import Bytes, Files, OsFiles, WritableFile
from edge_component.part10 import part10_head
from edge_component.receipt import StoredInstance, instance_bytes
from edge_component.spares import BATCH, PART, Spares

INSTANCE = ".dcm"
REASON = ".json"
READ_BYTES = 1024 * 1024


class SpoolError(OSError):
    """The disk would not take an instance (full, gone, read-only): nothing was acknowledged."""


class IncomingFile:
    """An instance on its way in, in a file under a name of our own choosing.

    After an error of the disk it swallows the rest of the stream, so that the sender hears a status.
    """

    def __init__(self, spool: Spool, head: bytes) -> None:
        self.head_bytes = len(head)
        """Where the data set begins."""
        self.dataset_bytes = 0
        self.crc32 = 0
        """Of the data set."""
        self.error: OSError | None = None
        self._spool = spool
        self._head = head
        """Until it is written, with the first piece."""
        self._stem = ""
        self._file: WritableFile | None = None
        try:
            self._stem, self._file = spool.spares.take()
        except OSError as error:
            self.error = error

    @property
    def name(self) -> str:
        """Its name once it is whole."""
        return f"{self._stem}{INSTANCE}"

    @property
    def bytes(self) -> int:
        """Of the Part 10 file so far."""
        return self.head_bytes + self.dataset_bytes

    @property
    def _path(self) -> Path:
        return self._spool.path(f"{self._stem}{PART}")

    def write(self, data: Bytes) -> None:
        """The next piece of the data set."""
        self.dataset_bytes += len(data)
        if self.error is not None or self._file is None:
            return
        self.crc32 = zlib.crc32(data, self.crc32)
        try:
            self._append(self._file, data)
        except OSError as error:
            self.error = error

    def read(self) -> BinaryIO:
        """The data set, as far as it has come.

        Raises:
            OSError: the disk.
        """
        stream = self._spool.files.read(self._path)
        stream.seek(self.head_bytes)
        return stream

    def keep(self, receipt: Bytes) -> None:
        """On the disk, with its receipt.

        Raises:
            SpoolError: the disk would not take it; nothing is left of it.
        """
        try:
            if self.error is not None:
                raise self.error
            assert self._file is not None  # noqa: S101 - no error, hence a file
            self._append(self._file, receipt)
            self._file.sync()
        except OSError as error:
            self.abandon()
            raise SpoolError(error.errno, f"the spool did not take {self.name}: {error.strerror}") from error

    def name_whole(self) -> None:
        """The name of a whole instance, for the eye and for the worker.

        Raises:
            OSError: the disk; the file has its receipt under the name it has.
        """
        self._close()
        self._spool.files.rename(self._path, self._spool.path(self.name))

    def abandon(self) -> None:
        """Gone: it was never acknowledged. Whoever else sends the same instance has another file."""
        self._close()
        if self._stem:
            with suppress(OSError):  # without a receipt it goes to quarantine at the next start
                self._spool.files.remove(self._path)

    def quarantine(self, reason: str, **facts: str) -> None:
        """Out of the way, for a person to look at, with the reason; it was not acknowledged."""
        self._close()
        self._spool.quarantine_file(self._path, reason, **facts)

    def _append(self, file: WritableFile, data: Bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            file.write(head, data)
        else:
            file.write(data)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


class Spool:
    """Folders of the spool; `files` is the disk under it."""

    def __init__(self, root: Path, files: Files | None = None, spares: int = BATCH) -> None:
        self.root = root
        self.files: Files = files or OsFiles()
        self.instances = root / "instances"
        self.quarantine = root / "quarantine"
        self.aside = root / "aside"
        """Acknowledged, announced as missing: never removed by us."""
        self.again = root / "again"
        """Asked by an operator to be sent again; the worker takes them from here."""
        self.journal = root / "journal.sqlite3"
        self.run = secrets.token_hex(8)
        """How the names of this spool's files begin: each process has its own."""
        self.spares = Spares(self.files, self.instances, self.run, spares)

    def prepare(self) -> None:
        """Make the folders; never removes anything."""
        for folder in (self.root, self.instances, self.quarantine, self.aside, self.again):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.files.sync_folder(self.root)

    def receive(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> IncomingFile:
        """A new incoming file under a name that was never used before."""
        return IncomingFile(self, part10_head(sop_class_uid, sop_instance_uid, transfer_syntax_uid))

    def close(self) -> None:
        """Remove the files that nothing was written to."""
        self.spares.close()

    def path(self, name: str) -> Path:
        """Where an instance lies."""
        return self.instances / name

    def read(self, name: str, size: int) -> BinaryIO:
        """The Part 10 file of so many bytes among the instances, without its receipt.

        Raises:
            OSError: gone, or the disk.
        """
        return self.part10(self.instances / name, size)

    def part10(self, path: Path, size: int) -> BinaryIO:
        """The same, wherever it lies."""
        return io.BufferedReader(StoredInstance(self.files.read(path), size))

    def remove(self, name: str) -> None:
        """Called when S3 has the instance and the bus has accepted the event, or for a duplicate."""
        self.files.remove(self.instances / name)

    def put_aside(self, name: str) -> None:
        """Keep a file that was announced as missing where a person finds it and no start adopts it."""
        with suppress(FileNotFoundError):  # gone behind our back: that is why it is missing
            self.files.rename(self.instances / name, self.aside / name)
            with self.files.read(self.aside / name) as stream:
                size = instance_bytes(stream)
            if size is not None:  # a Part 10 file for whoever looks at it
                self.files.cut(self.aside / name, size)

    def take_again(self, name: str, size: int, receipt: Bytes) -> None:
        """Among the instances, durably: a copy of a file that an operator wants to be sent again.

        The file itself stays as it is, whatever happens meanwhile.

        Raises:
            OSError: the disk.
        """
        copy = self.again / f"{name}{PART}"
        self.files.remove(copy)  # of a crash
        file = self.files.create(copy)
        try:
            with self.part10(self.again / name, size) as stream:
                while piece := stream.read(READ_BYTES):
                    file.write(piece)
            file.write(receipt)
            file.sync()
        finally:
            file.close()
        self.files.rename(copy, self.instances / name)
        self.files.sync_folder(self.instances)

    def quarantine_file(self, path: Path, reason: str, **facts: str) -> None:
        """Move a file that was not acknowledged out of the way, with the reason beside it."""
        note = self.quarantine / f"{path.stem}{REASON}"
        with suppress(OSError):  # a full disk has no room for a note: what was not acknowledged may go
            note.write_text(json.dumps({"reason": reason, **facts}, sort_keys=True), encoding="utf-8")
            self.files.rename(path, self.quarantine / f"{path.stem}{INSTANCE}")
            return
        with suppress(OSError):
            self.files.remove(path)

    def instance_files(self, run: str = "") -> Iterator[str]:
        """Names of whole instances, of one process's run or of all."""
        return self._names(run, INSTANCE)

    def part_files(self, run: str = "") -> Iterator[str]:
        """Names of files made beforehand, of receptions under way and of those that were cut off."""
        return self._names(run, PART)

    def _names(self, run: str, suffix: str) -> Iterator[str]:
        names = self.files.names(self.instances)
        return (name for name in names if name.startswith(run) and name.endswith(suffix))

    def name_whole(self, part: str) -> None:
        """A part file that has its receipt gets the name that a power cut took from it."""
        self.files.rename(self.path(part), self.path(f"{part.removesuffix(PART)}{INSTANCE}"))
