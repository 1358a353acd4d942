"""Walks the elements of a data set as its bytes pass (PS3.5 §7.1), keeping only those asked for.

Little endian only, and only what is plain: whatever else comes ends the walk, and somebody who knows all of
DICOM must look.
"""

from __future__ import annotations

import struct

from edge_component.files import Bytes

_EXPLICIT = struct.Struct("<HH2sH")
_IMPLICIT = struct.Struct("<HHL")
_LENGTH = struct.Struct("<L")
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"),
        *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
UNDEFINED = 0xFFFFFFFF
ITEM, SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
ITEM_END = b"\xfe\xff\x0d\xe0"
DEEPEST = 16
"""Sequences within sequences."""
MOST_KEPT = 256 * 1024
"""So much is kept of an element that comes in pieces."""


class Unusual(Exception):  # noqa: N818 - no error: somebody else looks at it
    """Not plain."""


class _More(Exception):  # noqa: N818 - no error: it goes on in the next piece
    """The element is not complete."""


class ElementWalk:
    """Feed it the pieces of a data set.

    `elements` has each wanted element whole, as it is encoded, and where its value begins in it.
    """

    def __init__(self, *, implicit: bool, wanted: frozenset[int], noted: frozenset[int], last: int) -> None:
        self.elements: dict[int, tuple[bytes, int]] = {}
        self.noted: set[int] = set()
        """Of these only the presence counts."""
        self.unusual = False
        self.implicit = implicit
        self._wanted = wanted
        self._note = noted
        self._last = last
        self._skip = 0
        self._rest = b""
        self._done = False

    @property
    def complete(self) -> bool:
        """The data set is plain up to the last element that is wanted, or to its end."""
        return not self.unusual and (self._done or not (self._skip or self._rest))

    def feed(self, data: Bytes) -> None:
        """The next piece."""
        if self._done or self.unusual:
            return
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        if self._skip or self._rest:
            data = self._rest + bytes(data[self._skip :])
            self._skip, self._rest = 0, b""
        try:
            at = self._walk(data)
        except Unusual:
            self.unusual = True
            return
        if not self._done and at < len(data):
            self._rest = bytes(data[at:])
            self.unusual = len(self._rest) > MOST_KEPT

    def _walk(self, data: Bytes) -> int:
        """Where the first element begins that is not complete."""
        at, end = 0, len(data)
        wanted, noted, last = self._wanted, self._note, self._last
        try:
            while at < end:
                tag, vr, length, value = _head(data, at, self.implicit)
                if tag > last:
                    self._done = True
                    return end
                if tag in noted:
                    self.noted.add(tag)
                following = value + length if length != UNDEFINED else self._sequence(data, value, vr, 0)
                if tag in wanted:
                    if following > end:
                        return at
                    self.elements[tag] = bytes(data[at:following]), value - at
                at = following
        except _More:
            return at
        self._skip = at - end
        return end

    def _sequence(self, data: Bytes, at: int, vr: bytes, depth: int) -> int:
        """Behind a sequence of undefined length (PS3.5 §7.5)."""
        if vr not in (b"", b"SQ") or depth > DEEPEST:
            raise Unusual
        while at <= len(data):
            tag, _, length, at = _head(data, at, implicit=True)  # items have no VR
            if tag == SEQUENCE_END:
                return at
            if tag != ITEM:
                raise Unusual
            at = self._item_end(data, at, depth) if length == UNDEFINED else at + length
        raise _More

    def _item_end(self, data: Bytes, at: int, depth: int) -> int:
        """Behind an item of undefined length."""
        while at <= len(data):
            if data[at : at + 4] == ITEM_END:
                return at + 8
            _, vr, length, at = _head(data, at, self.implicit)
            at = self._sequence(data, at, vr, depth + 1) if length == UNDEFINED else at + length
        raise _More


def _head(data: Bytes, at: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, VR, length and where the value begins (PS3.5 §7.1.2, §7.1.3)."""
    try:
        if implicit:
            group, element, length = _IMPLICIT.unpack_from(data, at)
            return group << 16 | element, b"", length, at + 8
        group, element, vr, length = _EXPLICIT.unpack_from(data, at)
        if vr in SHORT_VRS:
            return group << 16 | element, vr, length, at + 8
        if vr in LONG_VRS:
            return group << 16 | element, vr, _LENGTH.unpack_from(data, at + 8)[0], at + 12
    except struct.error as error:
        raise _More from error
    raise Unusual
