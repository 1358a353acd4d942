"""A spool file on its way out: what leaves whole is what was acknowledged, to the last bit."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO

from edge_component.sending.answers import UnreadableError, unreadable
from edge_component.sending.part import FilePart
from edge_component.sending.way import Gate

PIECE_BYTES = 256 * 1024
"""Small enough to stay in the processor's cache between disk, hash and socket."""
ALTERED = "spool file was altered"


class VerifiedFile:
    """Read and hashed in one go. Its last piece is given away only after the hash of all was compared."""

    def __init__(self, stream: BinaryIO, size: int, sha256: str) -> None:
        self._stream = stream
        self.bytes = size
        self.sha256 = sha256
        self.gate = Gate()
        """Passed before each piece that is sent."""

    def __enter__(self) -> VerifiedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def checksum(self) -> str:
        """The SHA-256 as S3 writes it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    def pieces(self, buffer: memoryview, head: int = 0) -> Iterator[memoryview]:
        """From the beginning, each time; a piece is valid until the next one is asked for, and may go now.

        `head`: bytes of the request before its body.

        Raises:
            UnreadableError: it is damaged, or is not what was acknowledged.
            LocalError: it cannot be read at present.
            PausedError: it may not go on.
        """
        self.gate.renew(head)
        for piece in self._compared(buffer, self.gate):
            self.gate(len(piece))
            yield piece

    def verified(self) -> BinaryIO:
        """The open file at its beginning, read and compared once: for senders that read for themselves.

        Raises:
            UnreadableError, LocalError: as `pieces`.
        """
        for _ in self._compared(memoryview(bytearray(PIECE_BYTES)), Gate()):
            pass
        self._rewind()
        return self._stream

    def body(self) -> FilePart:
        """All of the file as the body of a client's request, read and compared once.

        Raises:
            UnreadableError, LocalError: as `pieces`.
        """
        return FilePart(self.verified(), 0, self.bytes, self.gate)

    def _compared(self, buffer: memoryview, gate: Gate) -> Iterator[memoryview]:
        """Piece by piece; the last one only where the hash of all is right."""
        left = self._rewind()
        digest = hashlib.sha256()
        while True:
            piece = buffer[: self._read(buffer[: min(left, gate.most(len(buffer)))])]
            digest.update(piece)
            left -= len(piece)
            if not left or not piece:
                break
            yield piece
        if left or digest.hexdigest() != self.sha256:
            raise UnreadableError(ALTERED)
        yield piece

    def _rewind(self) -> int:
        try:
            size = self._stream.seek(0, io.SEEK_END)
            self._stream.seek(0)
        except OSError as error:
            raise unreadable(error) from error
        if size != self.bytes:
            raise UnreadableError(ALTERED)
        return size

    def _read(self, buffer: memoryview) -> int:
        try:
            return int(self._stream.readinto(buffer))  # type: ignore[attr-defined]  # BinaryIO leaves it out
        except OSError as error:
            raise unreadable(error) from error
