"""The hash of a received instance, computed when it is needed: the receiver only stores (PROTOCOL §1).

One SHA-256 of the Part 10 file says that S3 has all its bytes, and which version of an instance it is. The
head of the file is a function of SOP class, SOP instance and transfer syntax. So equal files are equal data
sets in the same syntax (docs/decisions/0047).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from zlib_ng.zlib_ng import crc32

from edge_component.records.rows import InstanceRow
from edge_component.running.buffers import Bytes
from edge_component.running.task import beat
from edge_component.spool.folder import Spool

PIECE_BYTES = 256 * 1024
"""Small enough to stay in the processor's cache between disk and hash."""


class _Buffers(threading.local):
    """A buffer for each thread: new memory for each instance costs the system more than reading into it."""

    def __init__(self) -> None:
        self.piece = bytearray(PIECE_BYTES)


_BUFFERS = _Buffers()


class AlteredError(Exception):
    """What is in the spool is not what was received."""


@dataclass(frozen=True)
class Stored:
    """An instance as the receiver journalled it."""

    file: str
    bytes: int
    file_crc32: int

    @classmethod
    def of(cls, row: InstanceRow) -> Stored:
        """As its receipt says."""
        return cls(row.file, row.bytes, row.file_crc32)


class Digest(NamedTuple):
    """What was read: its SHA-256 in hex, how many bytes, and their CRC-32."""

    sha256: str
    bytes: int
    file_crc32: int


def pieces_of(stream: BinaryIO) -> Iterator[memoryview]:
    """What is left to read, in a buffer of this thread: each piece is valid until the next one.

    Raises:
        OSError: the disk.
    """
    buffer = memoryview(_BUFFERS.piece)
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]  # BinaryIO leaves it out
        beat()  # a large instance takes minutes on a slow disk
        yield buffer[:count]


def digest(pieces: Iterable[Bytes]) -> Digest:
    """Of a Part 10 file that the edge has stored."""
    whole, size, crc = hashlib.sha256(), 0, 0
    for piece in pieces:
        whole.update(piece)
        crc = crc32(piece, crc)
        size += len(piece)
    return Digest(whole.hexdigest(), size, crc)


def compared(pieces: Iterable[Bytes], stored: Stored) -> Digest:
    """Of an instance in the spool.

    Raises:
        AlteredError: these are not the bytes that were received.
    """
    found = digest(pieces)
    if (found.bytes, found.file_crc32) != (stored.bytes, stored.file_crc32):
        now = f"{found.bytes} bytes with CRC {found.file_crc32:08x}"
        raise AlteredError(f"{now}, not {stored.bytes} with {stored.file_crc32:08x}")
    return found


def digest_of(spool: Spool, stored: Stored) -> Digest:
    """Of an instance in the spool, read from its file.

    Raises:
        AlteredError: as `compared`.
        OSError: gone, or the disk.
    """
    with spool.read(stored.file, stored.bytes) as stream:
        return compared(pieces_of(stream), stored)
