"""Walks the elements of a data set as its bytes pass (PS3.5 §7.1, §7.5): is it whole, and what is in it.

Every element is stepped over to the end of the data set, in either byte order, with or without VRs. Only the
elements asked for are kept, within bounds. Nothing is walked twice. What is odd and does not matter is a
finding; a data set that ends inside an element, or is not encoded as was agreed on, is an error.
"""

from __future__ import annotations

import re

from edge_component.receiving.datasets.beginning import FILE_META, after_stray, begin
from edge_component.receiving.datasets.errors import DataSetError, MoreError
from edge_component.receiving.datasets.kept import MOST_KEPT, Kept
from edge_component.receiving.datasets.kinds import (
    DOUBTFUL,
    KEPT_WHOLE,
    LOOKED_AT,
    ODD,
    ONLY_NOTED,
    REPORT_CONTENT,
    SHORT,
    SHORT_BYTES,
    SHORT_LENGTH,
    TAG_BITS,
    UNDEFINED,
    Elements,
)
from edge_component.receiving.datasets.nested import Nested
from edge_component.running.buffers import Bytes

FREELY = MOST_KEPT - SHORT_BYTES
"""While no more is kept, short elements are kept without a further look."""
PIECE = 16 * 1024
"""So much is looked at in one go."""
_ZEROS = re.compile(rb"\0{8,}")
"""Padding behind the last element: each eight bytes are an element of tag 0 and length 0."""


class ElementWalk:
    """Feed it the pieces of a data set, then `end` it. `kept` has what was found."""

    def __init__(self, elements: Elements) -> None:
        self.elements = elements
        self.kept = Kept(elements)
        self._nested = Nested(elements, self.kept)
        self._steps = 0
        self._skip = 0
        self._rest = bytearray()
        self._need = 8
        """The rest is looked at again when it has so many bytes."""
        self._begun = False
        self._last = 0
        """Tag of the element at top level that was met last."""

    @property
    def steps(self) -> int:
        """Elements, items and delimiters so far: what a walk costs."""
        return self._steps + self._nested.steps

    def value(self, tag: int) -> bytes | None:
        """The encoded value of a wanted element; None: it is not there."""
        element = self.kept.found.get(tag)
        return None if element is None else self.elements.value(element)

    def feed(self, data: Bytes, *, whole: bool = False) -> None:
        """The next piece; `whole`: it is the whole data set.

        Raises:
            DataSetError: it cannot be one.
        """
        step = len(data) if whole else PIECE
        for at in range(0, len(data), max(1, step)):
            left = len(data) - at
            if self._skip >= left and self.kept.capturing is None:
                self._skip -= left
                return
            if self._skip >= step and self.kept.capturing is None:
                self._skip -= step
                continue
            self._piece(bytes(data[at : at + step]), whole=whole)

    def end(self) -> None:
        """There is no more.

        Raises:
            DataSetError: the data set is cut off.
        """
        if self._skip or self._rest or self._nested:
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
            self.kept.capture(data[:skipped])
            self._skip -= skipped
            data = data[skipped:]
        if not data:
            return
        at = 0
        try:
            if not self._begun:
                at = begin(data, self.elements, self.kept)
                self._begun = True
            self._walk(data, at, whole=whole)
        except MoreError as more:
            self._need = more.need
            self._rest += data[more.at :]

    def _walk(self, data: bytes, at: int, *, whole: bool) -> None:
        """To the end of the piece.

        Raises:
            MoreError: at the first element that is not complete.
        """
        end, kept, steps, kind = len(data), self.kept, 0, self._last << TAG_BITS
        kinds, found = self.elements.kinds, kept.found
        try:
            if self._nested:
                at = self._nested.walk(data, at)
            while at < end:
                kind, size = kinds.get(data[at : at + 8]) or self._kind(data, at)
                steps += 1
                following = at + size if size else self._following(data, at, kind, whole=whole)
                if kind & LOOKED_AT and following >= 0:
                    if kind & SHORT and following <= end and kept.bytes < FREELY:
                        found[kind >> TAG_BITS] = data[at:following]  # most of those that are wanted
                        kept.bytes += size
                    else:
                        self._look(data, at, following, kind)
                at = following if following >= 0 else self._nested.walk(data, -following)
        finally:
            self._last, self._steps = kind >> TAG_BITS, self._steps + steps
        self._skip = at - end

    def _kind(self, data: bytes, at: int) -> tuple[int, int]:
        """Of an element as none was met before."""
        if len(data) - at < 8:
            raise MoreError(at, 8)
        return self.elements.kind(data[at : at + 8])

    def _look(self, data: bytes, at: int, following: int, kind: int) -> None:
        """At an element that is wanted, noted or doubtful."""
        if kind & DOUBTFUL:
            self.kept.doubt(data, at, following)
        if kind & (KEPT_WHOLE | ONLY_NOTED):
            self.kept.keep(data, at, following, kind)

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
                raise MoreError(at, 12)
            value, vr, length = at + 12, data[at + 4 : at + 6], elements.long.unpack_from(data, at + 8)[0]
        if length != UNDEFINED:
            return value + int(length)
        if not kind & (KEPT_WHOLE | ONLY_NOTED) and whole and (end := self._jumped(data, value, tag)):
            return end
        if kind & KEPT_WHOLE:
            self.kept.begin(tag, data[at:value])
        elif kind & ONLY_NOTED:
            self.kept.found[tag] = None
        self._nested.open(vr)
        return -value

    def _odd(self, data: bytes, at: int, kind: int) -> int:
        """Where an odd element ends; 0: its length has four bytes, as that of others."""
        tag = kind >> TAG_BITS
        if tag >> 16 == 0xFFFE:
            return after_stray(data, at, tag, self.elements, self.kept)
        if tag:
            self.kept.find(FILE_META)
        elif zeros := _ZEROS.match(data, at):
            return zeros.end() - (zeros.end() - at) % 8
        return at + 8 + int(self.elements.short.unpack_from(data, at + 6)[0]) if kind & SHORT_LENGTH else 0

    def _jumped(self, data: bytes, value: int, tag: int) -> int:
        """Behind the last sequence of the whole data set, where everything between is balanced; 0: it is not.

        A report's content has hundreds of items that nothing is wanted of. What opens in it has an undefined
        length, and what closes has a delimiter: while something is open, there are more of the former.
        """
        elements = self.elements
        if tag < REPORT_CONTENT or not elements.vital <= self.kept.found.keys():
            return 0
        ends = [elements.halves.pack(0xFFFE, low) + bytes(4) for low in (0xE00D, 0xE0DD)]
        last = data.rfind(ends[1])
        if last < value or any(data.find(late, value, last) >= 0 for late in elements.late):
            return 0
        opened = 1 + data.count(b"\xff\xff\xff\xff", value, last)
        closed = data.count(ends[0], value, last) + data.count(ends[1], value, last + 8)
        return last + 8 if opened == closed else 0
