"""Walks the elements of a data set as its bytes pass (PS3.5 §7.1), keeping only those asked for.

Little endian only, and only what is plain: whatever else comes ends the walk, and somebody who knows all of
DICOM must look.
"""

from __future__ import annotations

import struct

from edge_component.spool.files import Bytes

_EXPLICIT = struct.Struct("<HH2sH")
_IMPLICIT = struct.Struct("<HHL")
_LENGTH = struct.Struct("<L")
_TAG_HALVES = struct.Struct("<HH")
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


_SHORT, _WANTED, _NOTED, _BEYOND = 1, 2, 4, 8
"""Of an element: its length has two bytes, it is kept whole, its presence is, it lies behind the header."""
_KEPT = _WANTED | _NOTED
_TAG = 4
"""So many bits to the left of these: its tag."""
MOST_KINDS = 4096
PIECE = 16 * 1024
"""So much is looked at in one go: most headers are not longer, and the rest of a piece need not be copied."""


class Elements:
    """Which elements a walk looks for, and what it has learned about others of the same encoding.

    `wanted`: kept whole. `noted`: only their presence counts. Nothing behind `last` is looked at.
    """

    def __init__(self, *, implicit: bool, wanted: frozenset[int], noted: frozenset[int], last: int) -> None:
        self.implicit = implicit
        self.key_bytes = 4 if implicit else 6
        """Of the tag and, where it is there, the VR: they decide what is done."""
        self.kinds: dict[bytes, int] = {}
        self._wanted = wanted
        self._noted = noted
        self._last = last

    def kind(self, key: bytes) -> int:
        """What is to be done with an element that begins like this."""
        if len(key) < self.key_bytes:
            raise _More
        group, element = _TAG_HALVES.unpack_from(key)
        tag = group << 16 | element
        kind: int = tag << _TAG | _BEYOND * (tag > self._last)
        kind |= _WANTED * (tag in self._wanted) | _NOTED * (tag in self._noted)
        if not self.implicit:
            vr = key[4:]
            if vr not in SHORT_VRS and vr not in LONG_VRS:
                raise Unusual
            kind |= _SHORT * (vr in SHORT_VRS)
        if len(self.kinds) >= MOST_KINDS:  # somebody sends nonsense
            self.kinds.clear()
        self.kinds[key] = kind
        return kind


class ElementWalk:
    """Feed it the pieces of a data set.

    `found` has each wanted element whole, as it is encoded; None where only the presence counts.
    """

    def __init__(self, elements: Elements) -> None:
        self.found: dict[int, bytes | None] = {}
        self.unusual = False
        self.implicit = elements.implicit
        self._elements = elements
        self._skip = 0
        self._rest = b""
        self._done = False

    @property
    def complete(self) -> bool:
        """The data set is plain up to the last element that is wanted, or to its end."""
        return not self.unusual and (self._done or not (self._skip or self._rest))

    def value(self, tag: int) -> bytes | None:
        """The encoded value of a wanted element; None: it is not there."""
        element = self.found.get(tag)
        if element is None:
            return None
        return element[12 if not self.implicit and element[4:6] in LONG_VRS else 8 :]

    def feed(self, data: Bytes) -> None:
        """The next piece."""
        for at in range(0, len(data), PIECE):
            if self._done or self.unusual:
                return
            if self._skip >= len(data) - at:
                self._skip -= len(data) - at
                return
            self._feed(data[at : at + PIECE])

    def _feed(self, data: Bytes) -> None:
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        whole = self._rest + bytes(data[self._skip :])
        self._skip, self._rest = 0, b""
        try:
            at = self._walk(whole)
        except Unusual:
            self.unusual = True
            return
        if not self._done and at < len(whole):
            self._rest = whole[at:]
            self.unusual = len(self._rest) > MOST_KEPT

    def _walk(self, data: bytes) -> int:
        """Where the first element begins that is not complete."""
        at, end = 0, len(data)
        kinds, key_bytes, found = self._elements.kinds, self._elements.key_bytes, self.found
        try:
            while at < end:
                key = data[at : at + key_bytes]
                kind = kinds.get(key) or self._elements.kind(key)
                if kind & _BEYOND:
                    self._done = True
                    return end
                if kind & _SHORT:  # most are
                    following = at + 8 + data[at + 6] + (data[at + 7] << 8)
                else:
                    following = self._following(data, at)
                if kind & _KEPT:
                    if kind & _NOTED:
                        found[kind >> _TAG] = None
                    elif following > end:
                        return at
                    else:
                        found[kind >> _TAG] = data[at:following]
                at = following
        except (_More, IndexError, struct.error):
            return at
        self._skip = at - end
        return end

    def _following(self, data: bytes, at: int) -> int:
        """Where the element ends that begins here: one of which the length has four bytes."""
        if self.implicit:
            value, length = at + 8, _LENGTH.unpack_from(data, at + 4)[0]
        else:
            value, length = at + 12, _LENGTH.unpack_from(data, at + 8)[0]
        if length == UNDEFINED:
            return self._sequence(data, value, data[at + 4 : at + 6] if not self.implicit else b"", 0)
        return int(value + length)

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
