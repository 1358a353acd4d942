"""A part of an open file as a request's body."""

from __future__ import annotations

import io
from typing import BinaryIO

from edge_component.sending.way import Gate


class FilePart(io.RawIOBase):
    """A window on an open file: a part is sent without ever being in memory."""

    def __init__(self, stream: BinaryIO, start: int, length: int, gate: Gate | None = None) -> None:
        super().__init__()
        self._stream, self._start, self._length, self._at = stream, start, length, 0
        self._gate = gate or Gate()
        self._leaves = False

    def sent(self, head: int) -> None:
        """From now on what is read leaves the edge, after a head of so many bytes.

        Before it the part is read for its checksum and for the signature of the request.
        """
        self._gate.renew(head)
        self._leaves = True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes: a failed attempt begins again."""
        return True

    def tell(self) -> int:
        """Where in the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next piece of the part; where it leaves the edge, when it may go."""
        left = max(0, self._length - self._at)
        wanted = left if size < 0 else min(size, left)
        if self._leaves and wanted:
            wanted = self._gate.most(wanted)
            self._gate(wanted)
        self._stream.seek(self._start + self._at)
        data = self._stream.read(wanted)
        self._at += len(data)
        return data
