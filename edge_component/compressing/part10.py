"""A received Part 10 instance, written with HTJ2K frames in place of native pixel data."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from edge_component.compressing.codec import HTJ2K_LOSSLESS_RPCL, encode
from edge_component.compressing.errors import NotCompressibleError
from edge_component.compressing.explicit import explicit
from edge_component.compressing.pixels import PixelFormat

PIXEL_DATA = b"\xe0\x7f\x10\x00"
ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
PREAMBLE = 132
WORTH = 0.95
"""More than this part of the native pixel data is no gain."""

COMPRESSIBLE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
"""Transfer syntaxes of which images can be kept as HTJ2K."""


@dataclass(frozen=True)
class Parts:
    """A native instance by its pieces; all are views of what was received."""

    meta: memoryview
    """Group 0002, without its group length."""
    header: memoryview
    """The data set before Pixel Data."""
    pixels: memoryview
    trailing: memoryview
    """The data set after Pixel Data."""
    transfer_syntax: UID
    ds: Dataset


def split(received: memoryview) -> Parts:
    """Find the pixel data of a Part 10 file.

    Raises:
        NotCompressibleError: it is compressed already, in another encoding, or has no whole pixel data.
    """
    stream = BytesIO(received)
    ds = dcmread(stream, stop_before_pixels=True)
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    if syntax not in COMPRESSIBLE:
        raise NotCompressibleError(f"Transfer Syntax {syntax.name}")
    at = stream.tell()
    (length,) = struct.unpack_from("<I", received, PREAMBLE + 8)
    start = PREAMBLE + 12 + length
    if bytes(received[at : at + 4]) != PIXEL_DATA:
        raise NotCompressibleError("no Pixel Data")
    value = at + (8 if syntax == ImplicitVRLittleEndian else 12)
    (size,) = struct.unpack_from("<I", received, value - 4)
    if value + size > len(received):
        raise NotCompressibleError("Pixel Data is cut short")
    return Parts(
        received[PREAMBLE + 12 : start],
        received[start:at],
        received[value : value + size],
        received[value + size :],
        syntax,
        ds,
    )


def compress(received: memoryview, stored: BinaryIO) -> None:
    """Write `received` with its frames as HTJ2K Lossless RPCL to a seekable file.

    Raises:
        NotCompressibleError: it cannot be encoded exactly or gains nothing; what was written is worthless.
    """
    parts = split(received)
    pixels = PixelFormat.of(parts.ds)
    if not pixels.bytes <= len(parts.pixels) <= pixels.bytes + 1:
        raise NotCompressibleError(f"Pixel Data of {len(parts.pixels)} bytes, not {pixels.bytes}")
    stored.write(_meta(bytes(received[:PREAMBLE]), parts))
    header, trailing = parts.header, parts.trailing
    if parts.transfer_syntax == ImplicitVRLittleEndian:
        header, trailing = (memoryview(explicit(each, pixels.signed)) for each in (header, trailing))
    elif any(tag.element == 0 for tag in parts.ds.keys()):  # noqa: SIM118 - iterating decodes the values
        raise NotCompressibleError("it has group lengths, which would become wrong")
    stored.write(_photometric(bytes(header)) if pixels.samples > 1 else header)
    stored.write(PIXEL_DATA + b"OB\0\0\xff\xff\xff\xff")
    stored.write(ITEM + struct.pack("<I", 4 * pixels.frames))
    table = stored.tell()
    stored.write(bytes(4 * pixels.frames))
    offsets, offset = [], 0
    for number in range(pixels.frames):
        codestream = encode(pixels.frame(parts.pixels, number))
        codestream += b"\0" * (len(codestream) % 2)
        offsets.append(offset)
        offset += 8 + len(codestream)
        if offset > WORTH * pixels.bytes:
            raise NotCompressibleError("it would not be smaller")
        stored.write(ITEM + struct.pack("<I", len(codestream)) + codestream)
    if offset > 0xFFFFFFFF:
        raise NotCompressibleError("its frames are beyond the offsets of a Basic Offset Table")
    stored.write(SEQUENCE_END + bytes(4))
    stored.write(trailing)
    stored.seek(table)
    stored.write(struct.pack(f"<{len(offsets)}I", *offsets))
    stored.seek(0, 2)


def _meta(preamble: bytes, parts: Parts) -> bytes:
    """File meta information as received, but for its transfer syntax (0002,0010)."""
    old = b"\x02\x00\x10\x00UI"
    at = bytes(parts.meta).index(old)
    (length,) = struct.unpack_from("<H", parts.meta, at + 6)
    uid = HTJ2K_LOSSLESS_RPCL.encode()
    uid += b"\0" * (len(uid) % 2)
    before, after = bytes(parts.meta[:at]), bytes(parts.meta[at + 8 + length :])
    meta = before + old + struct.pack("<H", len(uid)) + uid + after
    return preamble + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta


def _photometric(header: bytes) -> bytes:
    """RGB becomes YBR_RCT: the reversible transform is part of the codestream (PS3.5 8.2.4)."""
    old = b"\x28\x00\x04\x00CS\x04\x00RGB "
    if header.count(old) != 1:
        raise NotCompressibleError("its Photometric Interpretation is written in an unusual way")
    return header.replace(old, b"\x28\x00\x04\x00CS\x08\x00YBR_RCT ")
