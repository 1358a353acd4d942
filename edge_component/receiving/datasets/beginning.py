"""How a data set begins: after file meta information that does not belong there, encoded as was agreed on."""

from __future__ import annotations

import struct

from edge_component.receiving.datasets.errors import DataSetError, MoreError
from edge_component.receiving.datasets.kept import LONGEST_VALUE, Kept
from edge_component.receiving.datasets.kinds import LONG_VRS, UNDEFINED, VRS, Elements
from edge_component.receiving.datasets.nested import ITEM, STRAY

FILE_META = "file meta information in the data set"
_LITTLE_LONG = struct.Struct("<L")


def begin(data: bytes, elements: Elements, kept: Kept) -> int:
    """Where the first element is.

    Raises:
        MoreError: that cannot be told from so few bytes.
        DataSetError: it is not encoded as was agreed on.
    """
    at = 0
    while True:
        if at > LONGEST_VALUE:
            raise DataSetError("the data set does not begin with an element")
        if len(data) - at < 8:
            raise MoreError(0, at + 8)
        tag, vr = elements.tag(data, at), data[at + 4 : at + 6]
        if tag >> 16 == 0xFFFE:
            at = after_stray(data, at, tag, elements, kept)
        elif data[at : at + 2] == b"\x02\0" and vr in VRS:
            # File meta information is Explicit VR Little Endian, whatever follows (PS3.10 7.1).
            kept.find(FILE_META)
            at = _after(data, at, _LITTLE_LONG, big=False)
        else:
            break
    if tag >> 16 in (0x0800, 0x0200, 0x1000):  # 0008, 0002, 0010 the other way round
        raise DataSetError("the data set has the other byte order than was agreed on")
    if elements.implicit and vr in VRS and _has_vrs(data, at, elements):
        raise DataSetError("the data set is encoded with VRs, Implicit VR was agreed on")
    if not elements.implicit and vr not in VRS and not _has_vrs(data, at, elements):
        raise DataSetError("the data set is not encoded with VRs, Explicit VR was agreed on")
    return at


def after_stray(data: bytes, at: int, tag: int, elements: Elements, kept: Kept) -> int:
    """Where an item or delimiter outside a sequence ends."""
    kept.find(STRAY)
    length = int(elements.long.unpack_from(data, at + 4)[0])
    return at + 8 + (length if tag == ITEM and length != UNDEFINED else 0)


def _has_vrs(data: bytes, at: int, elements: Elements) -> bool:
    """Whether the next element has a VR, if this one has: a length may look like a VR."""
    following = _after(data, at, elements.long, big=elements.big)
    if following - at > LONGEST_VALUE:
        return data[at + 4 : at + 6] in VRS
    if len(data) < following + 6:
        raise MoreError(0, following + 6)
    return data[following + 4 : following + 6] in VRS


def _after(data: bytes, at: int, long: struct.Struct, *, big: bool) -> int:
    """Where an element with a VR ends."""
    if data[at + 4 : at + 6] not in LONG_VRS:
        return at + 8 + int.from_bytes(data[at + 6 : at + 8], "big" if big else "little")
    if len(data) - at < 12:
        raise MoreError(0, at + 12)
    length = int(long.unpack_from(data, at + 8)[0])
    return at + 12 + (0 if length == UNDEFINED else length)
