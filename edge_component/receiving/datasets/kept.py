"""What a walk keeps of a data set, within bounds."""

from __future__ import annotations

from edge_component.receiving.datasets.errors import MoreError
from edge_component.receiving.datasets.kinds import ONLY_NOTED, TAG_BITS, Elements

LONGEST_VALUE = 64 * 1024
"""A longer element is not kept."""
MOST_KEPT = 256 * 1024
"""Bytes of all elements that are kept."""
MOST_DOUBTFUL, MOST_DOUBTFUL_BYTES = 200, 256 * 1024
"""Elements whose length may not be what their VR allows, and their bytes together."""
MOST_FINDINGS = 10


class Kept:
    """Of one data set. `found` has each wanted element whole; None where only its presence is known."""

    def __init__(self, elements: Elements) -> None:
        self.found: dict[int, bytes | None] = {}
        self.findings: list[str] = []
        self.sizes: dict[int, int] = {}
        """Of noted elements of a defined length: bytes of the value."""
        self.doubtful: list[bytes] = []
        """Elements, as they are encoded, whose length may not be what their VR allows."""
        self.bytes = 0
        self.capturing: int | None = None
        """A wanted sequence of undefined length: its tag."""
        self._elements = elements
        self._doubtful_bytes = MOST_DOUBTFUL_BYTES
        self._captured = bytearray()

    def find(self, finding: str) -> None:
        """Something is odd, and does not matter."""
        if finding not in self.findings and len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def doubt(self, data: bytes, at: int, following: int) -> None:
        """Keep an element for a look when the character set is known.

        Raises:
            MoreError: it is not whole.
        """
        size = following - at
        if size > min(LONGEST_VALUE, self._doubtful_bytes) or len(self.doubtful) >= MOST_DOUBTFUL:
            return
        if following > len(data):
            raise MoreError(at, size)
        self._doubtful_bytes -= size
        self.doubtful.append(data[at:following])

    def keep(self, data: bytes, at: int, following: int, kind: int) -> None:
        """Keep an element, or that it is there.

        Raises:
            MoreError: it is not whole.
        """
        tag = kind >> TAG_BITS
        size = following - at
        if kind & ONLY_NOTED:
            self.found[tag], self.sizes[tag] = None, size - (8 if self._elements.implicit else 12)
            return
        if size > LONGEST_VALUE or (self.bytes + size > MOST_KEPT and tag not in self._elements.vital):
            self.found.pop(tag, None)
            self._too_long(tag)
            return
        if following > len(data):
            raise MoreError(at, size)
        self.bytes += size
        self.found[tag] = data[at:following]

    def begin(self, tag: int, head: bytes) -> None:
        """A wanted sequence of undefined length: what is walked from now on belongs to it."""
        self.capturing = tag
        self._captured = bytearray(head)

    def capture(self, data: bytes) -> None:
        """The next bytes of the wanted sequence, if there is one."""
        if self.capturing is not None:
            room = LONGEST_VALUE + 1 - len(self._captured)
            self._captured += data[: max(0, room)]

    def end(self) -> None:
        """The sequence has ended."""
        if self.capturing is None:
            return
        tag, self.capturing = self.capturing, None
        if len(self._captured) > LONGEST_VALUE or self.bytes + len(self._captured) > MOST_KEPT:
            self._too_long(tag)
        else:
            self.bytes += len(self._captured)
            self.found[tag] = bytes(self._captured)
        self._captured = bytearray()

    def _too_long(self, tag: int) -> None:
        self.find(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is too long to be indexed")
