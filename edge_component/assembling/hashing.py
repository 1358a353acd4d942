"""Hashes of received instances, computed by the worker: the receiver only stores (PROTOCOL §1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from zlib_ng.zlib_ng import crc32

from edge_component.journal.instances import Hashes
from edge_component.records.rows import InstanceRow
from edge_component.running.task import beat
from edge_component.spool.folder import READ_BYTES, Spool
from edge_component.spool.part10 import read_head


class AlteredError(Exception):
    """What lies in the spool is not what was received."""


@dataclass(frozen=True)
class Stored:
    """An instance as the receiver journalled it."""

    file: str
    bytes: int
    crc32: int
    transfer_syntax_uid: str

    @classmethod
    def of(cls, row: InstanceRow) -> Stored:
        """As its receipt says."""
        return cls(row.file, row.bytes, row.crc32, row.transfer_syntax_uid)


class Digest(NamedTuple):
    """What was read: its hashes, how many bytes, and the CRC-32 of the data set."""

    hashes: Hashes
    bytes: int
    crc32: int


def digest(stream: BinaryIO, transfer_syntax_uid: str) -> Digest:
    """Of a Part 10 file of ours.

    Raises:
        OSError: the disk.
    """
    head = read_head(stream)
    whole, size, crc = hashlib.sha256(head), len(head), 0
    dataset = hashlib.sha256(transfer_syntax_uid.encode("ascii") + b"\0")
    while piece := stream.read(READ_BYTES):
        beat()  # a large instance takes minutes on a slow disk
        whole.update(piece)
        dataset.update(piece)
        crc = crc32(piece, crc)
        size += len(piece)
    return Digest(Hashes(whole.hexdigest(), dataset.hexdigest()), size, crc)


def hashes_of(spool: Spool, stored: Stored) -> Hashes:
    """Of an instance in the spool.

    Raises:
        AlteredError: shorter, or with another checksum than when it was received.
        OSError: gone, or the disk.
    """
    with spool.read(stored.file, stored.bytes) as stream:
        return verified(stream, stored)


def verified(stream: BinaryIO, stored: Stored) -> Hashes:
    """Of an instance that is open, at its beginning.

    Raises:
        AlteredError, OSError: as `hashes_of`.
    """
    found = digest(stream, stored.transfer_syntax_uid)
    if (found.bytes, found.crc32) != (stored.bytes, stored.crc32):
        raise AlteredError(
            f"{found.bytes} bytes with CRC {found.crc32:08x}, not {stored.bytes} with {stored.crc32:08x}"
        )
    return found.hashes
