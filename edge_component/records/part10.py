"""The head of a stored file: preamble and file meta information, a function of the instance alone."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import BinaryIO

from zlib_ng.zlib_ng import crc32

from edge_component.running.buffers import Bytes

IMPLEMENTATION_CLASS_UID = "2.25.231473870311926104284317911937216023498"
IMPLEMENTATION_VERSION_NAME = "DICOM-INGEST"
PREAMBLE = bytes(128) + b"DICM"


_ZEROS = memoryview(bytes(256 * 1024))
GROUP_LENGTH_END = 144
"""Behind preamble, prefix and the length of the rest of group 0002."""


def read_head(stream: BinaryIO) -> bytes:
    """Everything before the data set of a file that this release or an earlier one has made.

    Raises:
        OSError: the disk.
    """
    beginning = stream.read(GROUP_LENGTH_END)
    return beginning + stream.read(head_bytes(beginning) - GROUP_LENGTH_END)


def head_bytes(beginning: Bytes) -> int:
    """Length of the head of a file that begins like this."""
    return GROUP_LENGTH_END + int.from_bytes(beginning[GROUP_LENGTH_END - 4 : GROUP_LENGTH_END], "little")


def file_crc32(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, size: int, dataset_crc32: int
) -> int:
    """The CRC-32 of a file of so many bytes, from that of its data set: all that releases before 0.2 kept.

    A CRC is linear: what a beginning adds to it is what it adds to the CRC of as many zeros.
    """
    head = part10_head(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
    behind_head, alone = crc32(head), 0
    for at in range(len(head), size, len(_ZEROS)):
        zeros = _ZEROS[: size - at]
        behind_head, alone = crc32(zeros, behind_head), crc32(zeros, alone)
    return behind_head ^ alone ^ dataset_crc32


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"OB":
        return struct.pack("<HH2sHL", 2, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _padded(text: str, pad: bytes) -> bytes:
    value = text.encode("ascii")
    return value + pad * (len(value) % 2)


def part10_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Everything before the data set (PS3.10 §7.1).

    No sender and no time in it: the same instance makes the same file from every sender.
    """
    before, behind = _around(sop_class_uid, transfer_syntax_uid)
    body = before + _element(0x0003, b"UI", _padded(sop_instance_uid, b"\0")) + behind
    return PREAMBLE + _element(0x0000, b"UL", struct.pack("<L", len(body))) + body


@lru_cache(maxsize=1024)
def _around(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    """What is before and behind the SOP Instance UID: the same for a whole series."""
    before = (
        _element(0x0001, b"OB", b"\x00\x01"),
        _element(0x0002, b"UI", _padded(sop_class_uid, b"\0")),
    )
    behind = (
        _element(0x0010, b"UI", _padded(transfer_syntax_uid, b"\0")),
        _element(0x0012, b"UI", _padded(IMPLEMENTATION_CLASS_UID, b"\0")),
        _element(0x0013, b"SH", _padded(IMPLEMENTATION_VERSION_NAME, b" ")),
    )
    return b"".join(before), b"".join(behind)
