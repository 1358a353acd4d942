"""The DICOM upper layer of one connection, with bounds: what a peer claims never decides how much we read."""

from __future__ import annotations

import select
import socket
import ssl
from typing import Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

from edge_component import logs

A_ASSOCIATE_RQ = 0x01
P_DATA_TF = 0x04
PDU_HEAD = 6
MAX_ASSOCIATE_BYTES = 1024 * 1024
"""128 presentation contexts with 60 transfer syntaxes each have about 250 kB."""
MAX_OTHER_PDU_BYTES = 4096
PDU_SLACK = 64
"""Some senders count the PDU's own head in, some do not."""
CALLED, CALLING = slice(10, 26), slice(26, 42)
"""Where the titles stand in an A-ASSOCIATE-RQ (PS3.8 9.3.2)."""
SUBSTITUTE = b"?"


def printable_ae(raw: bytes) -> str:
    """The title as it can be journalled: bytes outside printable ASCII, and the backslash, as ``\\xNN``."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02X}" for byte in raw)
    return text.strip() or "UNKNOWN"


def _plain_ae(raw: bytes) -> bytes:
    """What pynetdicom can decode in place of it, 16 bytes long."""
    plain = bytes(byte if 0x20 <= byte < 0x7F and byte != 0x5C else SUBSTITUTE[0] for byte in raw)
    return plain if plain.strip() else SUBSTITUTE.ljust(len(raw))


class EdgeUpperLayer(DULServiceProvider):  # type: ignore[misc]  # pynetdicom has no types
    """Remembers the titles as they were sent, whatever bytes they are of."""

    calling_ae = "UNKNOWN"
    called_ae = "UNKNOWN"

    def _decode_pdu(self, bytestream: bytearray) -> Any:
        if bytestream[0] == A_ASSOCIATE_RQ and len(bytestream) >= CALLING.stop:
            called, calling = bytes(bytestream[CALLED]), bytes(bytestream[CALLING])
            self.called_ae, self.calling_ae = printable_ae(called), printable_ae(calling)
            bytestream[CALLED], bytestream[CALLING] = _plain_ae(called), _plain_ae(calling)
        return super()._decode_pdu(bytestream)


class EdgeSocket(AssociationSocket):  # type: ignore[misc]  # pynetdicom has no types
    """Reads in large pieces, and never more than a PDU of its type may have."""

    def __init__(self, assoc: Any, client_socket: socket.socket, max_pdu_bytes: int) -> None:
        super().__init__(assoc, client_socket=client_socket)
        self._max_pdu_bytes = max_pdu_bytes
        self._limit = PDU_HEAD
        self._head = bytearray()
        self._buffer = bytearray()

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, fewer when the peer is gone.

        Raises:
            OSError: longer than allowed, silent for too long, or the connection is broken.
        """
        if nr_bytes == PDU_HEAD and self._head:
            head, self._head = self._head, bytearray()
            return head
        self._check(nr_bytes)
        data = bytearray(nr_bytes)
        with memoryview(data) as view:
            read = self._fill(view)
        del data[read:]
        # PDUs come as a head of six bytes and then the rest, whose limit its type decides.
        self._limit = self._rest_limit(data[0]) if nr_bytes == PDU_HEAD and read == PDU_HEAD else PDU_HEAD
        return data

    def peek_type(self) -> int | None:
        """The type of the next PDU, whose head the next `recv` gives; None: the peer is gone.

        Raises:
            OSError: as `recv`.
        """
        self._head = self.recv(PDU_HEAD)
        return self._head[0] if len(self._head) == PDU_HEAD else None

    def recv_body(self) -> memoryview:
        """What follows the head that `peek_type` has read, in a buffer that the next call uses again.

        Raises:
            OSError: as `recv`, or the peer is gone.
        """
        head, self._head = self._head, bytearray()
        length = int.from_bytes(head[2:], "big")
        self._check(length)
        self._limit = PDU_HEAD
        if len(self._buffer) < length:
            self._buffer = bytearray(self._max_pdu_bytes + PDU_SLACK)
        view = memoryview(self._buffer)[:length]
        if (read := self._fill(view)) < length:
            raise OSError(f"{read} of a PDU's {length} bytes")
        return view

    def readable(self, seconds: float) -> bool:
        """Whether something comes within so long."""
        sock = self.socket
        if sock is None or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            return sock is not None
        try:
            return bool(select.select([sock], [], [], seconds)[0])
        except (OSError, ValueError):  # closed meanwhile
            return False

    def _check(self, length: int) -> None:
        if length > self._limit:
            logs.warning("connection closed", reason=f"a PDU of {length} bytes", allowed=self._limit)
            raise OSError(f"a PDU of {length} bytes; {self._limit} are allowed")

    def _fill(self, view: memoryview) -> int:
        """How many bytes came before the peer was gone."""
        sock, read = self.socket, 0
        if sock is None:
            raise OSError("the connection is closed")
        while read < len(view) and (piece := sock.recv_into(view[read:])):
            read += piece
        return read

    def _rest_limit(self, pdu_type: int) -> int:
        if pdu_type == P_DATA_TF:
            return self._max_pdu_bytes + PDU_SLACK
        return MAX_ASSOCIATE_BYTES if pdu_type == A_ASSOCIATE_RQ else MAX_OTHER_PDU_BYTES
