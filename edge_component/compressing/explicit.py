"""An implicit VR little endian data set as explicit VR little endian: the values' bytes stay as they are."""

from __future__ import annotations

import struct

from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from edge_component.compressing.errors import NotCompressibleError

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs with a length of four bytes (PS3.5 7.1.2)."""
DEPTH = 16
_HEAD = struct.Struct("<HHI")


def explicit(data: memoryview, signed: bool, depth: int = 0) -> bytes:
    """Elements of a data set or an item, each with its VR of PS3.6. Private ones are UN (PS3.5 6.2.2).

    Retired group lengths (PS3.5 7.2) are left out, because they count bytes of the old encoding.

    Args:
        signed: Pixel Representation is 1, which decides between US and SS (PS3.3 C.7.6.3.1.1).

    Raises:
        NotCompressibleError: it is nested deeper than `DEPTH`, or an element is cut short.
    """
    if depth > DEPTH:
        raise NotCompressibleError("its sequences are nested too deeply")
    out, position = bytearray(), 0
    while position < len(data):
        tag, length, position = _element(data, position)
        end = position + length if length != UNDEFINED else _sequence_end(data, position, depth)
        if end > len(data):
            raise NotCompressibleError("an element is cut short")
        value = data[position:end]
        position = end
        if tag & 0xFFFF == 0:
            continue
        vr = _vr(tag, signed)
        if vr == "SQ":
            body = value[: -_HEAD.size] if length == UNDEFINED else value
            out += _head(tag, "SQ", items := _items(body, signed, depth)) + items
        elif length == UNDEFINED:
            out += struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, b"UN", UNDEFINED) + value
        else:
            out += _head(tag, vr, value) + value
    return bytes(out)


def _element(data: memoryview, position: int) -> tuple[int, int, int]:
    if len(data) - position < _HEAD.size:
        raise NotCompressibleError("an element is cut short")
    group, element, length = _HEAD.unpack_from(data, position)
    return group << 16 | element, length, position + _HEAD.size


def _head(tag: int, vr: str, value: bytes | memoryview) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if vr not in LONG and len(value) > 0xFFFF:
        vr = "UN"  # PS3.5 6.2.2: too long for the two bytes of its own VR
    if vr in LONG:
        return struct.pack("<HH2s2xI", group, element, vr.encode(), len(value))
    return struct.pack("<HH2sH", group, element, vr.encode(), len(value))


def _vr(tag: int, signed: bool) -> str:
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        vr = dictionary_VR(Tag(tag))
    except KeyError:
        return "UN"
    if vr == "US or SS":
        return "SS" if signed else "US"
    return "OW" if " or " in vr else vr


def _items(data: memoryview, signed: bool, depth: int) -> bytes:
    out, position = bytearray(), 0
    while position < len(data):
        tag, length, position = _element(data, position)
        if tag != ITEM:
            raise NotCompressibleError("a sequence has something other than an item")
        end = position + length if length != UNDEFINED else _item_end(data, position, depth)
        body = data[position : end - (_HEAD.size if length == UNDEFINED else 0)]
        content = explicit(body, signed, depth + 1)
        out += _HEAD.pack(ITEM >> 16, ITEM & 0xFFFF, len(content)) + content
        position = end
    return bytes(out)


def _sequence_end(data: memoryview, position: int, depth: int) -> int:
    """Behind the delimiter of a sequence of undefined length."""
    while True:
        tag, length, position = _element(data, position)
        if tag == SEQUENCE_END:
            return position
        position = position + length if length != UNDEFINED else _item_end(data, position, depth)


def _item_end(data: memoryview, position: int, depth: int) -> int:
    if depth > DEPTH:
        raise NotCompressibleError("its sequences are nested too deeply")
    while True:
        tag, length, position = _element(data, position)
        if tag == ITEM_END:
            return position
        position = position + length if length != UNDEFINED else _sequence_end(data, position, depth + 1)
