"""An instance on its way into the spool, from its first byte to its receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zlib_ng.zlib_ng import crc32

from edge_component.records.receipt import HEAD, encode_head, place
from edge_component.running import logs
from edge_component.running.buffers import Bytes
from edge_component.spool.segments import Segment

if TYPE_CHECKING:
    from edge_component.spool.folder import Spool


class SpoolError(OSError):
    """The disk would not take an instance (full, gone, read-only): nothing was acknowledged."""


class IncomingFile:
    """An instance on its way in, at a place of our own choosing.

    After an error of the disk it swallows the rest of the stream, so that the sender hears a status. It ends
    with `abandon`, `quarantine`, or `keep` and then `let_go`.
    """

    def __init__(self, spool: Spool, head: bytes) -> None:
        self.head_bytes = len(head)
        """Of the Part 10 file, before the data set."""
        self.dataset_bytes = 0
        self.file_crc32 = crc32(head)
        """Of the Part 10 file so far."""
        self.error: OSError | None = None
        self.place = ""
        """How the journal calls it."""
        self._spool = spool
        self.pieces: list[Bytes] = []
        """What has come and is not written yet: where it lies it stays until `spill` or the end."""
        self.spilled = False
        """Some of it is written."""
        self._head = head
        self._segment: Segment | None = None
        self._end = 0
        try:
            self._segment = spool.segments.take()
            self.place = place(self._segment.name, self._segment.end)
            self._end = self._segment.end + HEAD.size
        except OSError as error:
            self.error = error

    @property
    def bytes(self) -> int:
        """Of the Part 10 file so far."""
        return self.head_bytes + self.dataset_bytes

    def write(self, data: Bytes) -> None:
        """The next piece of the data set."""
        self.dataset_bytes += len(data)
        if self.error is not None:
            return
        self.file_crc32 = crc32(data, self.file_crc32)
        self.pieces.append(data)

    def spill(self) -> None:
        """Write what has come: its place is needed."""
        try:
            if self.error is None:
                self._append(*self._waiting())
        except OSError as error:
            self.error = error

    def keep(self, receipt: Bytes) -> None:
        """On the disk, with its receipt.

        Raises:
            SpoolError: the disk would not take it; it will not be acknowledged.
        """
        try:
            if self.error is not None:
                raise self.error
            assert self._segment is not None  # noqa: S101 - no error, hence a segment
            head, ahead = encode_head(self.place, self.bytes, receipt), b""
            if self.spilled:
                self._append(*self._waiting(), receipt)
                self._segment.file.write(self._segment.end, head)
            else:
                self._end -= len(head)
                ahead = self._segment.ahead(self.bytes)
                self._append(head, *self._waiting(), receipt, ahead)
                self._end -= len(ahead)
            self._segment.file.sync()
        except OSError as error:
            self.error = error
            self.abandon()
            raise SpoolError(error.errno, f"the spool did not take {self.place}: {error.strerror}") from error
        self._segment.grown(self._end, len(ahead))

    def let_go(self) -> None:
        """Its row is on its way: the next instance may follow it in its segment."""
        if self._segment is not None:
            segment, self._segment = self._segment, None
            self._spool.segments.give_back(segment)

    def abandon(self) -> None:
        """Remove it: it was never acknowledged. The same instance from another sender has another place."""
        if self._segment is None:
            return
        segment, self._segment = self._segment, None
        try:
            segment.cut()
            if self.error is not None:
                raise self.error
        except OSError:  # what follows would not be safe behind it; what is before it is on the disk
            self._spool.segments.seal(segment)
        else:
            self._spool.segments.give_back(segment)

    def quarantine(self, reason: str, **facts: str) -> None:
        """A copy for a person to look at, with the reason; it was not acknowledged."""
        self.spill()
        try:
            if self.error is not None:
                raise self.error
            with self._spool.read(self.place, self.bytes) as stream:
                self._spool.quarantine_copy(stream, self.bytes, self.place, reason, **facts)
        except OSError as error:  # a full disk has no room for what was not acknowledged
            logs.warning("no room in quarantine", file=self.place, reason=str(error))
        self.abandon()

    def _waiting(self) -> tuple[Bytes, ...]:
        """What was gathered and is to be written now."""
        pieces, self.pieces = self.pieces, []
        begun, self.spilled = self.spilled, True
        return tuple(pieces) if begun else (self._head, *pieces)

    def _append(self, *pieces: Bytes) -> None:
        assert self._segment is not None  # noqa: S101 - no error, hence a segment
        self._end += self._segment.file.write(self._end, *pieces)
