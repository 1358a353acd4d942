"""Where a connection's bytes go, so that an instance is written from where they came, and in one call."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from edge_component.dimse.association import Association
from edge_component.dimse.incoming import room_for
from edge_component.dimse.limits import Limits
from edge_component.receiving.store import Reception

LARGE_BYTES = 512 * 1024
"""With a connection's own buffer it holds a CT slice."""
MOST = 4
"""Large buffers of a process. A connection that finds none writes more often."""


class LargeBuffers:
    """What the connections of a process lend: one that waits needs none."""

    def __init__(self, limits: Limits, most: int = MOST) -> None:
        self._size = max(LARGE_BYTES, room_for(limits.longest_data))
        self._made = deque(range(most))
        self._free: deque[memoryview] = deque()

    def take(self) -> memoryview | None:
        """The one that was used last; None: all are in use."""
        with suppress(IndexError):
            return self._free.pop()
        with suppress(IndexError):
            self._made.pop()
            return memoryview(bytearray(self._size))
        return None

    @property
    def free(self) -> int:
        """How many lie here."""
        return len(self._free)

    def give_back(self, buffer: memoryview) -> None:
        """Nothing in it is needed."""
        self._free.append(buffer)


class Space:
    """Of one connection: the association's own buffer, and a large one while an instance needs it."""

    def __init__(self, association: Association, buffers: LargeBuffers) -> None:
        self._association = association
        self._buffers = buffers
        self._large: memoryview | None = None
        self._own: memoryview | None = None

    def next(self, reception: Reception | None) -> memoryview:
        """Where the next bytes go. An instance that is coming is left where it lies, or written.

        All that has come is taken from the association: nothing else looks at the buffers.
        """
        association = self._association
        if reception is None:
            if self._own is not None and association.move_to(self._own) is not None:
                self.close()
            return association.space()
        space = association.space_behind()
        if space is None and self._large is None and (large := self._buffers.take()) is not None:
            self._large, self._own = large, association.move_to(large)
            space = association.space_behind()
        if space is None:
            reception.spill()
            space = association.space()
        return space

    def close(self) -> None:
        """The connection is over, or needs no large buffer."""
        if self._large is not None:
            self._buffers.give_back(self._large)
            self._large = self._own = None
