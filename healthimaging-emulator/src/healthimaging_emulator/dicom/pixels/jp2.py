"""JP2-family files: the boxes around a codestream (ISO/IEC 15444-1 annex I), as GetImageFrame sends HTJ2K.

Seen in a captured answer of the service (awsdocs/aws-doc-sdk-examples, cpp/example_code/medical-imaging,
test.jph): signature, file type `jp2 `, image header, enumerated colour space, then the codestream to the end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_SIGNATURE = b"\r\n\x87\n"
_BRAND = b"jp2 "
_JPEG_2000, _COLOUR_SPACE_UNKNOWN, _NO_RIGHTS = 7, 1, 0
_GREY, _SRGB = 17, 16
_SIGNED = 0x80


def wrap(codestream: bytes, pixels: Any) -> bytes:
    """The file of a codestream; `pixels` are what it decodes to."""
    height, width = pixels.shape[:2]
    components = pixels.shape[2] if pixels.ndim == 3 else 1
    depth = (pixels.dtype.itemsize * 8 - 1) | (_SIGNED if pixels.dtype.kind == "i" else 0)
    header = struct.pack(
        ">IIHBBBB", height, width, components, depth, _JPEG_2000, _COLOUR_SPACE_UNKNOWN, _NO_RIGHTS
    )
    colour = struct.pack(">BBBI", 1, 0, 0, _GREY if components == 1 else _SRGB)
    start = _box(b"jP  ", _SIGNATURE) + _box(b"ftyp", _BRAND + bytes(4) + _BRAND)
    described = _box(b"jp2h", _box(b"ihdr", header) + _box(b"colr", colour))
    return start + described + struct.pack(">I4s", 0, b"jp2c") + codestream  # length 0: to the end


def codestream(file: bytes) -> bytes:
    """The codestream of a file; what is not a JP2-family file is returned unchanged."""
    if file[4:12] != b"jP  " + _SIGNATURE:
        return file
    return next((content for kind, content in _boxes(file) if kind == b"jp2c"), file)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _boxes(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        head = 8
        if length == 1:
            (length,), head = struct.unpack_from(">Q", file, at + 8), 16
        end = at + length if length else len(file)
        yield kind, file[at + head : end]
        at = max(end, at + head)
