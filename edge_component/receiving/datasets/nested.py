"""Steps over a sequence of undefined length and everything in it (PS3.5 §7.5): a stack, and no recursion."""

from __future__ import annotations

import struct

from edge_component.receiving.datasets.errors import DataSetError, MoreError
from edge_component.receiving.datasets.kept import Kept
from edge_component.receiving.datasets.kinds import LONG_VRS, UNDEFINED, VRS, Elements

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
STRAY = "stray item or delimiter"
DEEPEST = 10_000
"""Sequences and items within each other: more is no data set."""
_IN_ITEM, _IMPLICIT, _LITTLE = 1, 2, 4
"""Of a container on the stack: an item, not a sequence; without VRs; little-endian, whatever is around."""
_LITTLE_HALVES, _LITTLE_LONG = struct.Struct("<HH"), struct.Struct("<L")
_LITTLE_ITEMS = (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")


class Nested:
    """The sequences and items of a data set that are open."""

    def __init__(self, elements: Elements, kept: Kept) -> None:
        self.steps = 0
        """Elements, items and delimiters within sequences so far."""
        self._elements = elements
        self._kept = kept
        self._stack: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._stack)

    def open(self, vr: bytes) -> None:
        """A sequence at top level begins. `vr`: empty where the data set has none."""
        self._stack.append(_IMPLICIT * (self._elements.implicit or vr == b"UN"))  # PS3.5 6.2.2, note 4

    def walk(self, data: bytes, at: int) -> int:
        """Behind the sequence that is open, or at the end of the piece or behind it.

        Raises:
            MoreError: at the first element that is not complete.
            DataSetError: it is no sequence.
        """
        begin, end, stack = at, len(data), self._stack
        try:
            while stack and at < end:
                at = self._inside(data, at, stack[-1])
        except MoreError as more:
            self._kept.capture(data[begin : more.at])
            raise
        self._kept.capture(data[begin : min(at, end)])
        if not stack:
            self._kept.end()
        return at

    def _inside(self, data: bytes, at: int, top: int) -> int:
        """After the next item, delimiter or element, or where the first one in it begins."""
        if len(data) - at < 8:
            raise MoreError(at, 8)
        if self._elements.big and top == _IMPLICIT and data[at : at + 4] in _LITTLE_ITEMS:
            self._stack[-1] = top = top | _LITTLE  # PS3.5 6.2.2, note 4
        halves, long = self._order(top)
        group, number = halves.unpack_from(data, at)
        tag = int(group) << 16 | int(number)
        self.steps += 1
        if top & _IN_ITEM and tag not in (ITEM, ITEM_END, SEQUENCE_END):
            return self._element(data, at, top, long)
        length = int(long.unpack_from(data, at + 4)[0])
        if tag == ITEM_END:
            if top & _IN_ITEM:
                self._stack.pop()
            else:
                self._kept.find(STRAY)
        elif tag == SEQUENCE_END:
            return self._sequence_ends(data, at, top)
        elif tag != ITEM:
            raise DataSetError("a sequence with something else than an item in it")
        else:
            if top & _IN_ITEM:
                self._kept.find("an item without its end")
                self._stack.pop()
            if length != UNDEFINED:
                return at + 8 + length
            self._push(top | _IN_ITEM)
        return at + 8

    def _sequence_ends(self, data: bytes, at: int, top: int) -> int:
        """After the delimiter of a sequence. An item that it is in ends, too, unless its own end follows."""
        if top & _IN_ITEM:
            if len(data) - at < 12:
                raise MoreError(at, 12)
            if self._order(top)[0].unpack_from(data, at + 8) == (0xFFFE, 0xE00D):
                self._kept.find(STRAY)
                return at + 8
            self._kept.find("an item without its end")
            self._stack.pop()
        self._stack.pop()
        return at + 8

    def _order(self, top: int) -> tuple[struct.Struct, struct.Struct]:
        """How tags and lengths are read in this container."""
        if top & _LITTLE:
            return _LITTLE_HALVES, _LITTLE_LONG
        return self._elements.halves, self._elements.long

    def _element(self, data: bytes, at: int, top: int, long: struct.Struct) -> int:
        """After an element within an item, or where the first item of its sequence begins."""
        elements = self._elements
        vr = b"" if top & _IMPLICIT else data[at + 4 : at + 6]
        if vr and vr not in VRS and not elements.big and _is_length(data[at + 4 : at + 8]):
            self._kept.find("elements without a VR in a sequence")
            vr = b""
        if vr and vr not in LONG_VRS:
            return at + 8 + data[at + elements.low] + (data[at + elements.high] << 8)
        if vr and len(data) - at < 12:
            raise MoreError(at, 12)
        value = at + (12 if vr else 8)
        length = long.unpack_from(data, value - 4)[0]
        if length != UNDEFINED:
            return value + int(length)
        self._push(_IMPLICIT | top & _LITTLE if not vr or vr == b"UN" else 0)
        return value

    def _push(self, container: int) -> None:
        if len(self._stack) >= DEEPEST:
            raise DataSetError(f"sequences nested more than {DEEPEST} deep")
        self._stack.append(container)


def _is_length(found: bytes) -> bool:
    """Whether these four bytes are the length of an element without a VR, not an odd VR and a length."""
    return found == b"\xff\xff\xff\xff" or (found[2:] == b"\0\0" and min(found[:2]) < 32)
