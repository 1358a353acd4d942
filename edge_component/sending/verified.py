"""A spool file on its way out: what leaves whole is what was acknowledged, to the last bit."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO

from zlib_ng.zlib_ng import crc32

from edge_component.journal.instances import Assigned
from edge_component.sending.answers import UnreadableError, unreadable
from edge_component.sending.part import FilePart
from edge_component.sending.way import Gate
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import AlteredError, Digest, Stored, compared, digest_of

PIECE_BYTES = 256 * 1024
"""Small enough to stay in the processor's cache between disk, hash and socket."""
HELD_BYTES = 1024 * 1024
"""An instance up to this length is read once, and sent from memory."""
ALTERED = "spool file was altered"


def to_be_sent(spool: Spool, upload: Assigned) -> VerifiedFile:
    """An instance as it was received, or its compressed copy. It is hashed now if nobody has needed its hash.

    Raises:
        UnreadableError: it is damaged, or is not what was acknowledged.
        LocalError: it cannot be read at present.
    """
    try:
        if upload.stored_bytes is not None and upload.stored_sha256 is not None:
            copy = spool.files.read(spool.compressed_copy(upload.file))
            return VerifiedFile(copy, upload.stored_bytes, upload.stored_sha256)
        stored = Stored(upload.file, upload.bytes, upload.file_crc32)
        if stored.bytes <= HELD_BYTES:
            return _held(spool, stored, upload.file_sha256)
        sha256, crc = upload.file_sha256, None
        if sha256 is None:
            sha256, _, crc = digest_of(spool, stored)
        return VerifiedFile(spool.read(upload.file, upload.bytes), upload.bytes, sha256, crc)
    except AlteredError as error:
        raise UnreadableError(ALTERED) from error
    except OSError as error:
        raise unreadable(error) from error


def _held(spool: Spool, stored: Stored, known: str | None) -> HeldFile:
    with spool.read(stored.file, stored.bytes) as stream:
        content = stream.read(stored.bytes)
    found = compared((content,), stored)
    if known not in (None, found.sha256):
        raise AlteredError(f"{stored.file} has another hash than before")
    return HeldFile(content, found)


class VerifiedFile:
    """Read and compared in one go. Its last piece is given away only when the checksum of all is right."""

    def __init__(self, stream: BinaryIO, size: int, sha256: str, crc: int | None = None) -> None:
        """`crc`: the CRC-32 that its bytes had when they were hashed, a moment ago; S3 compares the hash."""
        self._stream = stream
        self._crc = crc
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
        """The open file at its beginning, read and compared once, now or when it was hashed a moment ago.

        For senders that read for themselves.

        Raises:
            UnreadableError, LocalError: as `pieces`.
        """
        if self._crc is None:
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

    def parts(self, part_bytes: int, gate: Gate | None) -> tuple[list[FilePart], list[bytes]]:
        """All of the file in parts, and the SHA-256 of each, of what was read and compared once.

        Raises:
            UnreadableError, LocalError: as `pieces`.
        """
        starts, at = range(0, self.bytes, part_bytes), 0
        digests = [hashlib.sha256() for _ in starts]
        for piece in self._compared(memoryview(bytearray(PIECE_BYTES)), Gate()):
            while piece:
                digested = piece[: part_bytes - at % part_bytes]
                digests[at // part_bytes].update(digested)
                at, piece = at + len(digested), piece[len(digested) :]
        parts = [FilePart(self._stream, start, min(part_bytes, self.bytes - start), gate) for start in starts]
        return parts, [digest.digest() for digest in digests]

    def _compared(self, buffer: memoryview, gate: Gate) -> Iterator[memoryview]:
        """Piece by piece; the last one only where the hash of all is right."""
        left, crc, digest = self._rewind(), 0, hashlib.sha256()
        while True:
            piece = buffer[: self._read(buffer[: min(left, gate.most(len(buffer)))])]
            if self._crc is None:
                digest.update(piece)
            else:
                crc = crc32(piece, crc)
            left -= len(piece)
            if not left or not piece:
                break
            yield piece
        right = digest.hexdigest() == self.sha256 if self._crc is None else crc == self._crc
        if left or not right:
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


class HeldFile(VerifiedFile):
    """A file in memory, which was compared when it was read."""

    def __init__(self, content: bytes, found: Digest) -> None:
        super().__init__(io.BytesIO(content), found.bytes, found.sha256, found.file_crc32)
        self._content = memoryview(content)

    def pieces(self, buffer: memoryview, head: int = 0) -> Iterator[memoryview]:
        """From the beginning, each time, of at most as many bytes as the buffer has; nothing is copied.

        Raises:
            PausedError: it may not go on.
        """
        self.gate.renew(head)
        left = self._content
        while left:
            piece = left[: self.gate.most(len(buffer))]
            self.gate(len(piece))
            yield piece
            left = left[len(piece) :]
