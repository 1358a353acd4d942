"""Walks the elements of a data set as its bytes pass (PS3.5 §7.1, §7.5): is it whole, and what is in it.

Every element is stepped over to the end of the data set, in either byte order, with or without VRs. Only the
elements asked for are kept, within bounds. Nothing is walked twice, and nested sequences take a stack and no
recursion. What is odd and does not matter is a finding; a data set that ends inside an element, or is not
encoded as was agreed on, is an error.
"""

from __future__ import annotations

import re
import struct

from edge_component.receiving.datasets.kinds import (
    DOUBTFUL,
    KEPT_WHOLE,
    LONG_VRS,
    LOOKED_AT,
    ODD,
    ONLY_NOTED,
    PLAIN,
    REPORT_CONTENT,
    SHORT_LENGTH,
    TAG_BITS,
    UNDEFINED,
    VRS,
    Elements,
)
from edge_component.running.buffers import Bytes

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DEEPEST = 10_000
"""Sequences and items within each other: more is no data set."""
LONGEST_VALUE = 64 * 1024
"""A longer element is not kept."""
MOST_KEPT = 256 * 1024
"""Bytes of all elements that are kept."""
SHORT, FREELY = 1024, MOST_KEPT - 1024
"""Elements up to this length are kept without a further look while so much is."""
PIECE = 16 * 1024
"""So much is looked at in one go."""
MOST_DOUBTFUL, MOST_DOUBTFUL_BYTES = 200, 256 * 1024
"""Elements whose length may not be what their VR allows, and their bytes together."""
_IN_ITEM, _IMPLICIT, _LITTLE = 1, 2, 4
"""Of a container on the stack: an item, not a sequence; without VRs; little-endian, whatever is around."""
_LITTLE_HALVES, _LITTLE_LONG = struct.Struct("<HH"), struct.Struct("<L")
_ZEROS = re.compile(rb"\0{8,}")
"""Padding behind the last element: each eight bytes are an element of tag 0 and length 0."""
_LITTLE_ITEMS = (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")


def _is_length(found: bytes) -> bool:
    """Whether these four bytes are the length of an element without a VR, not an odd VR and a length."""
    return found == b"\xff\xff\xff\xff" or (found[2:] == b"\0\0" and min(found[:2]) < 32)


class DataSetError(ValueError):
    """No data set as was agreed on; the message says why, and quotes no value."""


class _More(Exception):  # noqa: N818 - no error: it goes on in the next piece
    """So many bytes are needed from where the element begins."""

    def __init__(self, at: int, need: int) -> None:
        self.at = at
        self.need = need


class ElementWalk:
    """Feed it the pieces of a data set, then `end` it.

    `found` has each wanted element whole, as it is encoded; None where only its presence is known.
    """

    def __init__(self, elements: Elements) -> None:
        self.found: dict[int, bytes | None] = {}
        self.findings: list[str] = []
        self.sizes: dict[int, int] = {}
        """Of noted elements of a defined length: bytes of the value."""
        self.doubtful: list[bytes] = []
        """Elements, as they are encoded, whose length may not be what their VR allows."""
        self._doubtful_bytes = MOST_DOUBTFUL_BYTES
        self.elements = elements
        self.steps = 0
        """Elements, items and delimiters so far: what a walk costs."""
        self._stack: list[int] = []
        self._skip = 0
        self._rest = bytearray()
        self._need = 8
        """The rest is looked at again when it has so many bytes."""
        self._begun = False
        self._kept = 0
        self._keeping: int | None = None
        """A wanted sequence of undefined length: its tag."""
        self._capture = bytearray()
        self._last = 0
        """Tag of the element at top level that was met last."""

    def value(self, tag: int) -> bytes | None:
        """The encoded value of a wanted element; None: it is not there."""
        element = self.found.get(tag)
        return None if element is None else self.elements.value(element)

    def feed(self, data: Bytes, *, whole: bool = False) -> None:
        """The next piece; `whole`: it is the whole data set.

        Raises:
            DataSetError: it cannot be one.
        """
        if self._skip >= len(data) and self._keeping is None:
            self._skip -= len(data)
            return
        step = len(data) if whole else PIECE
        for at in range(0, len(data), max(1, step)):
            left = len(data) - at
            if self._skip >= left and self._keeping is None:
                self._skip -= left
                return
            if self._skip >= step and self._keeping is None:
                self._skip -= step
                continue
            self._piece(bytes(data[at : at + step]), whole=whole)

    def end(self) -> None:
        """There is no more.

        Raises:
            DataSetError: the data set is cut off.
        """
        if self._skip or self._rest or self._stack:
            group, element = divmod(self._last, 0x10000)
            where = f"({group:04X},{element:04X})" if self._begun and self._last else "its first element"
            raise DataSetError(f"the data set ends inside an element, {where} or behind it")

    def _piece(self, data: bytes, *, whole: bool) -> None:
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        if self._skip:
            skipped = min(self._skip, len(data))
            if self._keeping is not None:
                self._captured(data[:skipped])
            self._skip -= skipped
            data = data[skipped:]
        if not data:
            return
        at = 0
        try:
            if not self._begun:
                at = self._begin(data)
            at = self._walk(data, at, whole=whole)
        except _More as more:
            at = more.at
            self._need = more.need
            self._rest += data[at:]

    def _begin(self, data: bytes) -> int:
        """Where the data set begins after file meta information; is it encoded as was agreed on?"""
        elements, at = self.elements, 0
        while True:
            if at > LONGEST_VALUE:
                raise DataSetError("the data set does not begin with an element")
            if len(data) - at < 8:
                raise _More(0, at + 8)
            tag, vr = elements.tag(data, at), data[at + 4 : at + 6]
            if tag >> 16 == 0xFFFE:
                at = self._stray(data, at, tag)
            elif data[at : at + 2] == b"\x02\0" and vr in VRS:
                # File meta information is Explicit VR Little Endian, whatever follows (PS3.10 7.1).
                self._find("file meta information in the data set")
                at = self._after(data, at, _LITTLE_LONG, big=False)
            else:
                break
        if tag >> 16 in (0x0800, 0x0200, 0x1000):  # 0008, 0002, 0010 the other way round
            raise DataSetError("the data set has the other byte order than was agreed on")
        if elements.implicit and vr in VRS and self._has_vrs(data, at):
            raise DataSetError("the data set is encoded with VRs, Implicit VR was agreed on")
        if not elements.implicit and vr not in VRS and not self._has_vrs(data, at):
            raise DataSetError("the data set is not encoded with VRs, Explicit VR was agreed on")
        self._begun = True
        return at

    def _has_vrs(self, data: bytes, at: int) -> bool:
        """Whether the next element has a VR, if this one has: a length may look like a VR."""
        following = self._after(data, at, self.elements.long, big=self.elements.big)
        if following - at > LONGEST_VALUE:
            return data[at + 4 : at + 6] in VRS
        if len(data) < following + 6:
            raise _More(0, following + 6)
        return data[following + 4 : following + 6] in VRS

    @staticmethod
    def _after(data: bytes, at: int, long: struct.Struct, *, big: bool) -> int:
        """Where an element with a VR ends."""
        if data[at + 4 : at + 6] not in LONG_VRS:
            return at + 8 + int.from_bytes(data[at + 6 : at + 8], "big" if big else "little")
        if len(data) - at < 12:
            raise _More(0, at + 12)
        length = int(long.unpack_from(data, at + 8)[0])
        return at + 12 + (0 if length == UNDEFINED else length)

    def _stray(self, data: bytes, at: int, tag: int) -> int:
        """After an item or delimiter outside a sequence."""
        self._find("stray item or delimiter")
        length = int(self.elements.long.unpack_from(data, at + 4)[0])
        return at + 8 + (length if tag == ITEM and length != UNDEFINED else 0)

    def _walk(self, data: bytes, at: int, *, whole: bool) -> int:
        """Where the piece ends.

        Raises:
            _More: at the first element that is not complete.
        """
        end, elements, steps = len(data), self.elements, 0
        kinds, low, high = elements.kinds, elements.low, elements.high
        found = self.found
        kind = self._last << TAG_BITS
        if self._stack:
            at = self._nested(data, at)
        while at < end:
            if end - at < 8:
                self._last, self.steps = kind >> TAG_BITS, self.steps + steps
                raise _More(at, 8)
            key = data[at : at + 8]
            kind = kinds.get(key) or elements.kind(key)
            steps += 1
            if kind & PLAIN == SHORT_LENGTH:  # most are
                following = at + 8 + data[at + low] + (data[at + high] << 8)
            else:
                self._last = kind >> TAG_BITS
                following = self._following(data, at, kind, whole=whole)
            if kind & LOOKED_AT and following >= 0:
                if kind & DOUBTFUL:
                    self._last, self.steps, steps = kind >> TAG_BITS, self.steps + steps, 0
                    self._doubt(data, at, following)
                if kind & KEPT_WHOLE and following <= end and following - at <= SHORT and self._kept < FREELY:
                    found[kind >> TAG_BITS] = data[at:following]  # most are
                    self._kept += following - at
                elif kind & (KEPT_WHOLE | ONLY_NOTED):
                    self._last = kind >> TAG_BITS
                    self._keep(data, at, following, kind)
            at = following if following >= 0 else self._nested(data, -following)
        self._last, self.steps = kind >> TAG_BITS, self.steps + steps
        self._skip = at - end
        return end

    def _following(self, data: bytes, at: int, kind: int, *, whole: bool) -> int:
        """Where the element ends whose length has four bytes, or that is odd.

        Negative: where the first item of its sequence of undefined length begins.
        """
        elements, tag = self.elements, kind >> TAG_BITS
        if kind & ODD and (end := self._odd(data, at, kind)):
            return end
        if elements.implicit:
            value, vr, length = at + 8, b"", elements.long.unpack_from(data, at + 4)[0]
        else:
            if len(data) - at < 12:
                raise _More(at, 12)
            value, vr, length = at + 12, data[at + 4 : at + 6], elements.long.unpack_from(data, at + 8)[0]
        if length != UNDEFINED:
            return value + int(length)
        if not kind & (KEPT_WHOLE | ONLY_NOTED) and whole and (end := self._jumped(data, value, tag)):
            return end
        if kind & KEPT_WHOLE:
            self._keeping = tag
            self._capture = bytearray(data[at:value])
        elif kind & ONLY_NOTED:
            self.found[tag] = None
        self._stack.append(_IMPLICIT * (elements.implicit or vr == b"UN"))  # PS3.5 6.2.2, note 4
        return -value

    def _odd(self, data: bytes, at: int, kind: int) -> int:
        """Where an odd element ends; 0: its length has four bytes, as that of others."""
        tag = kind >> TAG_BITS
        if tag >> 16 == 0xFFFE:
            return self._stray(data, at, tag)
        if tag:
            self._find("file meta information in the data set")
        elif zeros := _ZEROS.match(data, at):
            return zeros.end() - (zeros.end() - at) % 8
        return at + 8 + int(self.elements.short.unpack_from(data, at + 6)[0]) if kind & SHORT_LENGTH else 0

    def _jumped(self, data: bytes, value: int, tag: int) -> int:
        """Behind the last sequence of the whole data set, where everything between is balanced; 0: it is not.

        A report's content has hundreds of items that nothing is wanted of. What opens in it has an undefined
        length, and what closes has a delimiter: while something is open, there are more of the former.
        """
        elements = self.elements
        if tag < REPORT_CONTENT or not elements.vital <= self.found.keys():
            return 0
        ends = [elements.halves.pack(0xFFFE, low) + bytes(4) for low in (0xE00D, 0xE0DD)]
        last = data.rfind(ends[1])
        if last < value or any(data.find(late, value, last) >= 0 for late in elements.late):
            return 0
        opened = 1 + data.count(b"\xff\xff\xff\xff", value, last)
        closed = data.count(ends[0], value, last) + data.count(ends[1], value, last + 8)
        return last + 8 if opened == closed else 0

    def _nested(self, data: bytes, at: int) -> int:
        """Behind the sequence of undefined length that is open, or at the end of the piece or behind it."""
        begin, end, stack = at, len(data), self._stack
        try:
            while stack and at < end:
                at = self._inside(data, at, stack[-1])
        except _More as more:
            self._capture_to(data, begin, more.at)
            raise
        self._capture_to(data, begin, min(at, end))
        if not stack:
            self._captured_all()
        return at

    def _inside(self, data: bytes, at: int, top: int) -> int:
        """After the next item, delimiter or element, or where the first one in it begins."""
        if len(data) - at < 8:
            raise _More(at, 8)
        if self.elements.big and top == _IMPLICIT and data[at : at + 4] in _LITTLE_ITEMS:
            self._stack[-1] = top = top | _LITTLE  # PS3.5 6.2.2, note 4
        halves, long = self._order(top)
        group, number = halves.unpack_from(data, at)
        tag = int(group) << 16 | int(number)
        self.steps += 1
        if top & _IN_ITEM and tag not in (ITEM, ITEM_END, SEQUENCE_END):
            return self._inner(data, at, top, long)
        length = int(long.unpack_from(data, at + 4)[0])
        if tag == ITEM_END:
            if top & _IN_ITEM:
                self._stack.pop()
            else:
                self._find("stray item or delimiter")
        elif tag == SEQUENCE_END:
            return self._sequence_ends(data, at, top)
        elif tag != ITEM:
            raise DataSetError("a sequence with something else than an item in it")
        else:
            if top & _IN_ITEM:
                self._find("an item without its end")
                self._stack.pop()
            if length != UNDEFINED:
                return at + 8 + length
            self._push(top | _IN_ITEM)
        return at + 8

    def _sequence_ends(self, data: bytes, at: int, top: int) -> int:
        """After the delimiter of a sequence. An item that it is in ends, too, unless its own end follows."""
        if top & _IN_ITEM:
            if len(data) - at < 12:
                raise _More(at, 12)
            if self._order(top)[0].unpack_from(data, at + 8) == (0xFFFE, 0xE00D):
                self._find("stray item or delimiter")
                return at + 8
            self._find("an item without its end")
            self._stack.pop()
        self._stack.pop()
        return at + 8

    def _order(self, top: int) -> tuple[struct.Struct, struct.Struct]:
        """How tags and lengths are read in this container."""
        if top & _LITTLE:
            return _LITTLE_HALVES, _LITTLE_LONG
        return self.elements.halves, self.elements.long

    def _inner(self, data: bytes, at: int, top: int, long: struct.Struct) -> int:
        """After an element within an item, or where the first item of its sequence begins."""
        vr = b"" if top & _IMPLICIT else data[at + 4 : at + 6]
        if vr and vr not in VRS and not self.elements.big and _is_length(data[at + 4 : at + 8]):
            self._find("elements without a VR in a sequence")
            vr = b""
        if vr and vr not in LONG_VRS:
            return at + 8 + data[at + self.elements.low] + (data[at + self.elements.high] << 8)
        if vr and len(data) - at < 12:
            raise _More(at, 12)
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

    def _doubt(self, data: bytes, at: int, following: int) -> None:
        """Keep it for a look when the character set is known."""
        size = following - at
        if size > min(LONGEST_VALUE, self._doubtful_bytes) or len(self.doubtful) >= MOST_DOUBTFUL:
            return
        if following > len(data):
            raise _More(at, size)
        self._doubtful_bytes -= size
        self.doubtful.append(data[at:following])

    def _keep(self, data: bytes, at: int, following: int, kind: int) -> None:
        tag = kind >> TAG_BITS
        size = following - at
        if kind & ONLY_NOTED:
            self.found[tag], self.sizes[tag] = None, size - (8 if self.elements.implicit else 12)
            return
        if size > LONGEST_VALUE or (self._kept + size > MOST_KEPT and tag not in self.elements.vital):
            self.found.pop(tag, None)
            self._find(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is too long to be indexed")
            return
        if following > len(data):
            raise _More(at, size)
        self._kept += size
        self.found[tag] = data[at:following]

    def _capture_to(self, data: bytes, begin: int, end: int) -> None:
        if self._keeping is not None:
            self._captured(data[begin:end])

    def _captured(self, data: bytes) -> None:
        room = LONGEST_VALUE + 1 - len(self._capture)
        self._capture += data[: max(0, room)]

    def _captured_all(self) -> None:
        if self._keeping is None:
            return
        tag, self._keeping = self._keeping, None
        if len(self._capture) > LONGEST_VALUE or self._kept + len(self._capture) > MOST_KEPT:
            self._find(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is too long to be indexed")
        else:
            self._kept += len(self._capture)
            self.found[tag] = bytes(self._capture)
        self._capture = bytearray()

    def _find(self, finding: str) -> None:
        if finding not in self.findings and len(self.findings) < 10:
            self.findings.append(finding)
