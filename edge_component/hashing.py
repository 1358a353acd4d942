"""Hashes of received instances, reckoned by the worker: the receiver only stores (PROTOCOL §1)."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from edge_component.part10 import part10_head
from edge_component.spool import READ_BYTES, Spool


class AlteredError(Exception):
    """What lies in the spool is not what was received."""


@dataclass(frozen=True)
class Stored:
    """An instance as the receiver journalled it."""

    file: str
    bytes: int
    crc32: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class Hashes:
    """SHA-256 in hex. `dataset`: of the transfer syntax, a NUL, and the data set without group 0002."""

    file: str
    dataset: str


def hashes_of(spool: Spool, stored: Stored) -> Hashes:
    """Of an instance in the spool.

    Raises:
        AlteredError: shorter, or with another checksum than when it was received.
        OSError: gone, or the disk.
    """
    head = len(part10_head(stored.sop_class_uid, stored.sop_instance_uid, stored.transfer_syntax_uid))
    whole = hashlib.sha256()
    dataset = hashlib.sha256(stored.transfer_syntax_uid.encode("ascii") + b"\0")
    crc = 0
    with spool.read(stored.file, stored.bytes) as stream:
        whole.update(stream.read(head))
        while piece := stream.read(READ_BYTES):
            whole.update(piece)
            dataset.update(piece)
            crc = zlib.crc32(piece, crc)
        size = stream.tell()
    if (size, crc) != (stored.bytes, stored.crc32):
        raise AlteredError(f"{size} bytes and CRC {crc:08x} instead of {stored.bytes} and {stored.crc32:08x}")
    return Hashes(whole.hexdigest(), dataset.hexdigest())
