"""The one buffer of an association: bytes are read into it, and PDUs are looked at where they are."""

from __future__ import annotations

from edge_component.dimse.limits import PDU_HEAD

FIRST_BYTES = 4096
"""Room for an A-ASSOCIATE-RQ as most are; it grows as the bytes come, not as a length claims."""
MORE_BYTES = 16 * 1024
"""Of the next PDU, read together with the one before."""
LEAST_BYTES = 4096
"""Less room than this is not worth a read."""


def room_for(longest_pdu: int) -> int:
    """Bytes of a buffer that takes any PDU up to this length."""
    return PDU_HEAD + longest_pdu + MORE_BYTES


class Incoming:
    """Fill `space()`, say how much with `filled`; `pdu` is the next one, once it is whole."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(FIRST_BYTES))
        self._start = self._end = 0

    def reserve(self, longest_pdu: int) -> None:
        """From now on every PDU up to this length fits at once."""
        self._move(memoryview(bytearray(room_for(longest_pdu))))

    def space_behind(self) -> memoryview | None:
        """Where the next bytes go while views of PDUs stay valid; None: there is no room for them."""
        head, room = self.head(), len(self._buffer) - self._end
        needed = head[1] + PDU_HEAD - self.held if head else 0
        return self._buffer[self._end :] if room >= max(needed, LEAST_BYTES) else None

    def move_to(self, buffer: memoryview) -> memoryview | None:
        """Go on in another buffer; returns the one before, where views stay valid. None: it is too small."""
        before = self._buffer
        if self.held >= len(buffer):
            return None
        self._move(buffer)
        return before

    def space(self) -> memoryview:
        """Where the next bytes go; never empty. Views of PDUs that were taken are no longer valid."""
        if self._start:
            left = self._end - self._start
            if left:
                self._buffer[:left] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, left
        if self._end == len(self._buffer):
            self._move(memoryview(bytearray(2 * len(self._buffer))))
        return self._buffer[self._end :]

    def filled(self, count: int) -> None:
        """So many bytes were read into `space()`."""
        self._end += count

    @property
    def grown(self) -> int:
        """By so many bytes the buffer has grown."""
        return len(self._buffer) - FIRST_BYTES

    @property
    def held(self) -> int:
        """Bytes that came and were not taken."""
        return self._end - self._start

    def head(self) -> tuple[int, int] | None:
        """Type and length of the next PDU; None: not all of its head has come."""
        if self._end - self._start < PDU_HEAD:
            return None
        at = self._start
        return self._buffer[at], int.from_bytes(self._buffer[at + 2 : at + PDU_HEAD], "big")

    def pdu(self, length: int) -> memoryview | None:
        """The body of the next PDU, which is then taken; None: not all of it has come."""
        body = self._start + PDU_HEAD
        if self._end < body + length:
            return None
        self._start = body + length
        return self._buffer[body : self._start]

    def _move(self, buffer: memoryview) -> None:
        left = self._end - self._start
        buffer[:left] = self._buffer[self._start : self._end]
        self._buffer, self._start, self._end = buffer, 0, left
