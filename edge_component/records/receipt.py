"""The receipt of an instance: the journal's row, on the disk with the same sync as the bytes.

A segment of the spool is a file of records: a head, a Part 10 file, its receipt. Each begins at a multiple of
`ALIGNMENT`, so that what was acknowledged shares no block with what is written after it. An instance whose
head does not fit its receipt was never acknowledged; one that has both is adopted with everything that is
known of it, journal or no journal.
"""

from __future__ import annotations

import errno
import io
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, BinaryIO

from zlib_ng.zlib_ng import crc32

from edge_component.records.part10 import file_crc32
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.running.buffers import Bytes

HEAD = struct.Struct("<8sQLL8x")
"""The mark, bytes of the Part 10 file, bytes of the receipt, and the receipt's checksum."""
MARK = b"INSTANCE"
ALIGNMENT = 4096
LONGEST = 16 * 1024 * 1024
IDENTITY = ("sop_class_uid", "sop_instance_uid", "transfer_syntax_uid")
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class UnknownReceiptError(OSError):
    """An instance was acknowledged by a release that this one does not know: its segment is left alone."""


def place(segment: str, at: int) -> str:
    """How the journal calls the record that begins there."""
    return f"{segment}/{at}"


def of_place(file: str) -> tuple[str, int]:
    """What `place` was made of."""
    segment, _, at = file.partition("/")
    return segment, int(at)


def aligned(end: int) -> int:
    """Where the record behind one that ends here begins."""
    return -(-end // ALIGNMENT) * ALIGNMENT


def encode_receipt(sender: AssociationRow, row: InstanceRow) -> bytes:
    """Both rows as text, the header attributes as they are.

    Raises:
        ValueError: a text that UTF-8 cannot encode.
    """
    named = zip(InstanceRow._fields, row, strict=True)
    fields = [f'"{name}":{_json(value)}' for name, value in named if name != "attributes"]
    return f"[{_text(sender)},{{{','.join(fields)}}}]\n{row.attributes}".encode()


def _json(value: str | float | None) -> str:
    """Quicker than an encoder, which is made again for each row."""
    if isinstance(value, str):
        return encode_basestring(value)
    return "null" if value is None else repr(value)


@lru_cache(maxsize=256)
def _text(sender: AssociationRow) -> str:
    return _JSON.encode(sender._asdict())


def decode_receipt(text: bytes) -> tuple[AssociationRow, InstanceRow]:
    """What `encode_receipt` made, in this release, an older or a newer one.

    A field that this release does not know stays in the file, unread; one that an older release did not write
    has its default.

    Raises:
        UnknownReceiptError: without what this release cannot do without.
    """
    head, _, attributes = text.partition(b"\n")
    try:
        sender, row = json.loads(head)
        row["attributes"] = attributes.decode("utf-8")
        if "file_crc32" not in row:
            row["file_crc32"] = file_crc32(*(row[name] for name in (*IDENTITY, "bytes", "crc32")))
        return AssociationRow(**_known(AssociationRow, sender)), InstanceRow(**_known(InstanceRow, row))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UnknownReceiptError(errno.EPROTO, f"a receipt of another release: {error}") from error


def _known(kind: type[AssociationRow] | type[InstanceRow], fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in kind._fields}


def encode_head(file: str, size: int, receipt: Bytes) -> bytes:
    """What is written before an instance of so many bytes once its receipt is behind it.

    The checksum covers the place: nothing but the record itself, as it is there, is taken for one.
    """
    return HEAD.pack(MARK, size, len(receipt), _checksum(file, receipt))


@dataclass(frozen=True)
class Record:
    """What a segment says of an instance. `at`, `end`: the place of its record."""

    sender: AssociationRow
    row: InstanceRow
    at: int
    end: int


def records(stream: BinaryIO, segment: str) -> Iterator[Record]:
    """Those of a segment, in their order; what is none is passed over.

    Raises:
        OSError: the disk.
    """
    at, size = 0, stream.seek(0, os.SEEK_END)
    while at < size:
        record = read_record(stream, place(segment, at))
        if record is not None:
            yield record
        at = aligned(record.end) if record else at + ALIGNMENT


def read_record(stream: BinaryIO, file: str) -> Record | None:
    """The one at a place of a segment; None: nothing that was acknowledged begins there.

    Raises:
        OSError: the disk.
    """
    _, at = of_place(file)
    end = stream.seek(0, os.SEEK_END)
    stream.seek(at)
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    mark, size, length, checksum = HEAD.unpack(head)
    if mark != MARK or length > LONGEST or at + HEAD.size + size + length > end:
        return None
    stream.seek(at + HEAD.size + size)
    text = stream.read(min(length, ALIGNMENT))
    if f'"{file}"'.encode() not in text:  # what a sender made up is not read to its end
        return None
    text += stream.read(length - len(text))
    if _checksum(file, text) != checksum:
        return None
    return Record(*decode_receipt(text), at, at + HEAD.size + size + length)


def _checksum(file: str, receipt: Bytes) -> int:
    return crc32(receipt, crc32(file.encode("ascii")))


class StoredInstance(io.RawIOBase):
    """The Part 10 file of so many bytes in a record, without what is before and behind it."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size = size
        self._at = 0
        file.seek(start)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """As a file; ends where the receipt begins."""
        left = self._size - self._at
        if left <= 0:
            return 0
        read = int(self._file.readinto(memoryview(buffer)[:left]))  # type: ignore[attr-defined]
        self._at += read
        return read

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As a file; beyond its end nothing is read."""
        beginning = self._length() if whence == io.SEEK_END else self._at if whence == io.SEEK_CUR else 0
        self._at = self._file.seek(self._start + beginning + offset) - self._start
        return self._at

    def tell(self) -> int:
        """As a file."""
        return self._at

    def close(self) -> None:
        """As a file."""
        self._file.close()
        super().close()

    def _length(self) -> int:
        """Less than it should be where the segment was cut off."""
        end = self._file.seek(0, os.SEEK_END)
        return min(self._size, max(0, end - self._start))
