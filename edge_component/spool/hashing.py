"""The hash of a received instance, computed when it is needed: the receiver only stores (PROTOCOL §1).

One SHA-256 of the Part 10 file says that S3 has all its bytes, and which version of an instance it is. The
head of the file is a function of SOP class, SOP instance and transfer syntax. So equal files are equal data
sets in the same syntax (docs/decisions/0047).
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from zlib_ng.zlib_ng import crc32

from edge_component.records.rows import InstanceRow
from edge_component.running.task import beat
from edge_component.spool.folder import Spool
from edge_component.spool.part10 import head_bytes

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
    crc32: int

    @classmethod
    def of(cls, row: InstanceRow) -> Stored:
        """As its receipt says."""
        return cls(row.file, row.bytes, row.crc32)


class Digest(NamedTuple):
    """What was read: its SHA-256 in hex, how many bytes, and the CRC-32 of the data set and of all."""

    sha256: str
    bytes: int
    crc32: int
    file_crc32: int


def digest(stream: BinaryIO) -> Digest:
    """Of a Part 10 file that the edge has stored.

    Raises:
        OSError: the disk.
    """
    whole, size, crc, file_crc = hashlib.sha256(), 0, 0, 0
    with memoryview(_BUFFERS.piece) as buffer:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            beat()  # a large instance takes minutes on a slow disk
            with buffer[:count] as piece:
                whole.update(piece)
                crc = crc32(piece if size else piece[head_bytes(piece) :], crc)
                file_crc = crc32(piece, file_crc)
            size += count
    return Digest(whole.hexdigest(), size, crc, file_crc)


def digest_of(spool: Spool, stored: Stored) -> Digest:
    """Of an instance in the spool.

    Raises:
        AlteredError: shorter, or with another checksum than when it was received.
        OSError: gone, or the disk.
    """
    with spool.read(stored.file, stored.bytes) as stream:
        return verified(stream, stored)


def verified(stream: BinaryIO, stored: Stored) -> Digest:
    """Of an instance that is open, at its beginning.

    Raises:
        AlteredError, OSError: as `digest_of`.
    """
    found = digest(stream)
    if (found.bytes, found.crc32) != (stored.bytes, stored.crc32):
        raise AlteredError(
            f"{found.bytes} bytes with CRC {found.crc32:08x}, not {stored.bytes} with {stored.crc32:08x}"
        )
    return found
