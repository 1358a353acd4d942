"""The receipt behind an instance in its file: the journal's row, on the disk with the same sync as the bytes.

A spool file is a Part 10 file, then its receipt, then a fixed tail. A file whose tail is not right was never
acknowledged; one whose tail is right is adopted with everything that is known of it, journal or no journal.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from typing import BinaryIO

from edge_component.journal.rows import AssociationRow, InstanceRow

TAIL = struct.Struct("<QLL8s")
"""Bytes of the Part 10 file, bytes of the receipt, its CRC-32, and the mark."""
MARK = b"RECEIPT1"
LONGEST = 16 * 1024 * 1024


def encode_arrival(sender: AssociationRow, row: InstanceRow) -> bytes:
    """Both rows as text, the header attributes as they are.

    Raises:
        ValueError: a text that UTF-8 cannot encode.
    """
    fields = [vars(sender), {**vars(row), "attributes": None}]
    head = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return b"%s\n%s" % (head, row.attributes.encode("utf-8"))


def decode_arrival(text: bytes) -> tuple[AssociationRow, InstanceRow]:
    """What `encode_arrival` made."""
    head, _, attributes = text.partition(b"\n")
    sender, row = json.loads(head)
    return AssociationRow(**sender), InstanceRow(**{**row, "attributes": attributes.decode("utf-8")})


def encode_receipt(sender: AssociationRow, row: InstanceRow) -> bytes:
    """What is written behind the instance.

    Raises:
        ValueError: a text that UTF-8 cannot encode.
    """
    text = encode_arrival(sender, row)
    return text + TAIL.pack(row.bytes, len(text), zlib.crc32(text), MARK)


def instance_bytes(stream: BinaryIO) -> int | None:
    """How long the Part 10 file before the receipt is; None: there is no receipt.

    Raises:
        OSError: the disk.
    """
    found = _tail(stream)
    return found[0] if found else None


def read_receipt(stream: BinaryIO) -> tuple[AssociationRow, InstanceRow] | None:
    """Sender and row of a spool file; None: it was never acknowledged.

    Raises:
        OSError: the disk.
    """
    if (found := _tail(stream)) is None:
        return None
    size, length, crc = found
    stream.seek(size)
    text = stream.read(length)
    return decode_arrival(text) if zlib.crc32(text) == crc else None


def _tail(stream: BinaryIO) -> tuple[int, int, int] | None:
    """Bytes of the instance, bytes of the receipt, its CRC."""
    size = stream.seek(0, os.SEEK_END)
    if size < TAIL.size:
        return None
    stream.seek(size - TAIL.size)
    instance, length, crc, mark = TAIL.unpack(stream.read(TAIL.size))
    if mark != MARK or length > LONGEST or instance + length + TAIL.size != size:
        return None
    return instance, length, crc


class StoredInstance(io.RawIOBase):
    """The Part 10 file without the receipt behind it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__()
        self._file = file
        self._size = size

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """As a file; ends where the receipt begins."""
        left = max(0, self._size - self._file.tell())
        return int(self._file.readinto(memoryview(buffer)[:left]))  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As a file."""
        if whence == io.SEEK_END:
            offset, whence = offset + self._size, io.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file."""
        return self._file.tell()

    def close(self) -> None:
        """As a file."""
        self._file.close()
        super().close()
