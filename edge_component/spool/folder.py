"""The spool: instances as they came, each with its receipt behind it. Nothing here is named by the network.

One sync an instance: it is in a file that was made beforehand, whose name is on the disk already. What
tells a whole instance from one that was cut off is its head, written last (see `receipt`).
"""

from __future__ import annotations

import errno
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zlib_ng.zlib_ng import crc32

from edge_component.records.receipt import (
    HEAD,
    Record,
    StoredInstance,
    decode_receipt,
    encode_head,
    of_place,
    place,
    records,
)
from edge_component.running import logs
from edge_component.running.buffers import Bytes
from edge_component.running.task import beat
from edge_component.spool.files import Files, OsFiles
from edge_component.spool.part10 import part10_head
from edge_component.spool.quarantine import INSTANCE, REASON, Quarantine
from edge_component.spool.segments import BATCH, SEGMENT, Segment, Segments, path_of

PART = ".part"
READ_BYTES = 1024 * 1024
SMALL_BYTES = 64 * 1024
"""A data set up to this length is written in one go."""


class SpoolError(OSError):
    """The disk would not take an instance (full, gone, read-only): nothing was acknowledged."""


class IncomingFile:
    """An instance on its way in, at a place of our own choosing.

    After an error of the disk it swallows the rest of the stream, so that the sender hears a status. It ends
    with `abandon`, `quarantine`, or `keep` and then `let_go`.
    """

    def __init__(self, spool: Spool, head: bytes) -> None:
        self.head_bytes = len(head)
        """Of the Part 10 file, before the data set."""
        self.dataset_bytes = 0
        self.crc32 = 0
        """Of the data set."""
        self.error: OSError | None = None
        self.place = ""
        """How the journal calls it."""
        self._spool = spool
        self.gathered: bytearray | None = bytearray()
        """The data set of a small instance: it is written in one go, with its receipt. None: on its way."""
        self._head = head
        self._segment: Segment | None = None
        self._end = 0
        try:
            self._segment = spool.segments.take()
            self.place = place(self._segment.name, self._segment.end)
            self._end = self._segment.end + HEAD.size
        except OSError as error:
            self.error = error

    @property
    def bytes(self) -> int:
        """Of the Part 10 file so far."""
        return self.head_bytes + self.dataset_bytes

    def write(self, data: Bytes) -> None:
        """The next piece of the data set."""
        self.dataset_bytes += len(data)
        if self.error is not None:
            return
        self.crc32 = crc32(data, self.crc32)
        if self.gathered is not None and self.dataset_bytes <= SMALL_BYTES:
            self.gathered += data
            return
        try:
            self._append(*self._waiting(), data)
        except OSError as error:
            self.error = error

    def read(self) -> BinaryIO:
        """The data set, as far as it has come.

        Raises:
            OSError: the disk.
        """
        stream = self._part10()
        stream.seek(self.head_bytes)
        return stream

    def keep(self, receipt: Bytes) -> None:
        """On the disk, with its receipt.

        Raises:
            SpoolError: the disk would not take it; it will not be acknowledged.
        """
        try:
            if self.error is not None:
                raise self.error
            assert self._segment is not None  # noqa: S101 - no error, hence a segment
            head = encode_head(self.place, self.bytes, receipt)
            if self.gathered is not None:
                self._end -= len(head)
                self._append(head, *self._waiting(), receipt)
            else:
                self._append(receipt)
                self._segment.file.write(self._segment.end, head)
            self._segment.file.sync()
        except OSError as error:
            self.error = error
            self.abandon()
            raise SpoolError(error.errno, f"the spool did not take {self.place}: {error.strerror}") from error
        self._segment.grown(self._end)

    def let_go(self) -> None:
        """Its row is on its way: the next instance may follow it in its segment."""
        if self._segment is not None:
            segment, self._segment = self._segment, None
            self._spool.segments.give_back(segment)

    def abandon(self) -> None:
        """Remove it: it was never acknowledged. The same instance from another sender has another place."""
        if self._segment is None:
            return
        segment, self._segment = self._segment, None
        try:
            segment.file.cut(segment.end)
            if self.error is not None:
                raise self.error
        except OSError:  # what follows would not be safe behind it; what is before it is on the disk
            self._spool.segments.seal(segment)
        else:
            self._spool.segments.give_back(segment)

    def quarantine(self, reason: str, **facts: str) -> None:
        """A copy for a person to look at, with the reason; it was not acknowledged."""
        try:
            with self._part10() as stream:
                self._spool.quarantine_copy(stream, self.bytes, self.place, reason, **facts)
        except OSError as error:  # a full disk has no room for what was not acknowledged
            logs.warning("no room in quarantine", file=self.place, reason=str(error))
        self.abandon()

    def _part10(self) -> BinaryIO:
        if self.error is not None:
            raise self.error
        self._append(*self._waiting())
        return self._spool.read(self.place, self.bytes)

    def _waiting(self) -> tuple[Bytes, ...]:
        """What was gathered and is to be written now."""
        gathered, self.gathered = self.gathered, None
        return () if gathered is None else (self._head, gathered)

    def _append(self, *pieces: Bytes) -> None:
        assert self._segment is not None  # noqa: S101 - no error, hence a segment
        self._segment.file.write(self._end, *pieces)
        self._end += sum(map(len, pieces))


class Spool:
    """Folders of the spool; `files` is the disk under it."""

    def __init__(self, root: Path, files: Files | None = None, spares: int = BATCH) -> None:
        self.root = root
        self.files: Files = files or OsFiles()
        self.instances = root / "instances"
        self.quarantine = root / "quarantine"
        self.refused = Quarantine(self.quarantine)
        self.aside = root / "aside"
        """Acknowledged, announced as missing: never removed by us."""
        self.again = root / "again"
        """Asked by an operator to be sent again; the worker takes them from here."""
        self.compressed = root / "compressed"
        """Copies that go to S3 in place of what was received; each can be made again."""
        self.journal = root / "journal.sqlite3"
        self.run = secrets.token_hex(8)
        """How the names of this spool's segments begin: each process has its own."""
        self.segments = Segments(self.files, self.instances, self.run, spares)

    def prepare(self) -> None:
        """Make the folders; never removes anything."""
        for folder in (
            self.root,
            self.instances,
            self.quarantine,
            self.aside,
            self.again,
            self.compressed,
        ):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.files.sync_folder(self.root)

    def receive(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> IncomingFile:
        """A new incoming file at a place that was never used before."""
        return IncomingFile(self, part10_head(sop_class_uid, sop_instance_uid, transfer_syntax_uid))

    def close(self) -> None:
        """Nothing is received any more."""
        self.segments.close()

    def segment(self, name: str) -> Path:
        """The path of a segment."""
        return path_of(self.instances, name)

    def segment_names(self, run: str = "") -> list[str]:
        """Of one process's run, or all."""
        names = self.files.names(self.instances)
        return sorted(
            name.removesuffix(SEGMENT) for name in names if name.startswith(run) and name.endswith(SEGMENT)
        )

    def strangers(self) -> list[str]:
        """Files among the instances that are no segments: of another release, or of somebody else."""
        return [name for name in self.files.names(self.instances) if not name.endswith(SEGMENT)]

    def records(self, segment: str) -> Iterator[Record]:
        """What was acknowledged in a segment.

        Raises:
            OSError: gone, or the disk.
        """
        with self.files.read(self.segment(segment)) as stream:
            yield from records(stream, segment)

    def read(self, file: str, size: int) -> BinaryIO:
        """The Part 10 file of so many bytes at a place among the instances.

        Raises:
            OSError: gone, or the disk.
        """
        segment, at = of_place(file)
        stream = self.files.read(self.segment(segment))
        return io.BufferedReader(StoredInstance(stream, at + HEAD.size, size), SMALL_BYTES)

    def compressed_copy(self, file: str) -> Path:
        """The path of an instance's compressed copy."""
        return self.compressed / f"{file_name(file)}{INSTANCE}"

    def put_aside(self, file: str, size: int) -> None:
        """A Part 10 file of what was announced as missing, where a person finds it and no start adopts it.

        Raises:
            OSError: the disk did not take it: it must stay where it is.
        """
        try:
            stream = self.read(file, size)
        except FileNotFoundError:  # gone behind our back: that is why it is missing
            return
        with stream:
            self._write_file(self.aside / f"{file_name(file)}{INSTANCE}", stream)

    def take_again(self, name: str, file: str, size: int, receipt: bytes) -> None:
        """Among the instances, durably: a copy of a file that an operator wants to be sent again.

        The file itself stays as it is, whatever happens meanwhile. `file`: the place, first in its segment.

        Raises:
            FileExistsError: a segment has this name, with another instance in it.
            OSError: the disk.
        """
        segment = of_place(file)[0]
        if self.segment(segment).exists():
            _, row = decode_receipt(receipt)
            found = [record.row for record in self.records(segment)]
            if [(one.sop_instance_uid, one.crc32) for one in found] != [(row.sop_instance_uid, row.crc32)]:
                raise FileExistsError(errno.EEXIST, "another segment has its name", segment)
            # Taken before, and cut off before its row was written.
            self.files.remove(self.again / f"{self.segment(segment).name}{PART}")
            return
        record = io.BytesIO(encode_head(file, size, receipt))
        with self.files.read(self.again / name) as stream:
            self._write_file(self.segment(segment), record, stream, io.BytesIO(receipt), aside=self.again)

    def quarantine_copy(self, stream: BinaryIO, size: int, file: str, reason: str, **facts: str) -> None:
        """A copy of what was not acknowledged, under a name of its own, with the reason beside it.

        It need not survive a power cut, and must not cost what does a sync.

        Raises:
            OSError: the disk; there is nothing in quarantine then.
        """
        place = self.refused.place_for(file_name(file), size)
        if place is None:
            logs.warning("refused instance is too large for the quarantine", bytes=size, reason=reason)
            return
        self._write_file(place.with_suffix(INSTANCE), stream, durable=False)
        note = json.dumps({"reason": reason, **facts}, sort_keys=True)
        place.with_suffix(REASON).write_text(note, encoding="utf-8")

    def _write_file(
        self, target: Path, *streams: BinaryIO, aside: Path | None = None, durable: bool = True
    ) -> None:
        """All of it under its name or nothing, durably unless it does not matter."""
        part = (aside or target.parent) / f"{target.name}{PART}"
        self.files.remove(part)  # of a crash
        file, at = self.files.create(part), 0
        try:
            for stream in streams:
                while piece := stream.read(READ_BYTES):
                    beat()
                    file.write(at, piece)
                    at += len(piece)
            if durable:
                file.sync()
        except OSError:
            file.close()
            self.files.remove(part)
            raise
        file.close()
        self.files.rename(part, target)
        if durable:
            self.files.sync_folder(target.parent)


def file_name(file: str) -> str:
    """How a file is called that holds what lay at a place."""
    return file.replace("/", "-")
