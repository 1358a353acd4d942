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

from edge_component.records.part10 import part10_head
from edge_component.records.receipt import (
    HEAD,
    Record,
    StoredInstance,
    decode_receipt,
    encode_head,
    of_place,
    records,
)
from edge_component.running import logs
from edge_component.running.task import beat
from edge_component.spool.files import Files, OsFiles
from edge_component.spool.incoming import IncomingFile
from edge_component.spool.quarantine import INSTANCE, REASON, Quarantine
from edge_component.spool.segments import BATCH, SEGMENT, Segments, path_of

PART = ".part"
READ_BYTES = 1024 * 1024
BUFFER_BYTES = 64 * 1024


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
        return io.BufferedReader(StoredInstance(stream, at + HEAD.size, size), BUFFER_BYTES)

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
            if [(one.sop_instance_uid, one.file_crc32) for one in found] != [
                (row.sop_instance_uid, row.file_crc32)
            ]:
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
