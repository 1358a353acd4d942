"""The DICOM upper layer of one connection, with bounds: what a peer claims never decides how much we read."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket

from edge_component.dimse.stream import P_DATA_TF, PDU_HEAD, PDU_SLACK
from edge_component.running import logs
from edge_component.running.clock import MONOTONIC, Clock

A_ASSOCIATE_RQ = 0x01
MAX_ASSOCIATE_BYTES = 1024 * 1024
"""128 presentation contexts with 60 transfer syntaxes each have about 250 kB."""
MAX_OTHER_PDU_BYTES = 4096
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


class MonotonicTimer(Timer):  # type: ignore[misc]  # pynetdicom has no types
    """Expires by a clock that nobody sets: by the wall clock's, a correction would abort whoever is idle."""

    def __init__(self, timeout: float | None, clock: Clock = MONOTONIC) -> None:
        super().__init__(timeout)
        self._clock = clock

    @property
    def remaining(self) -> float:
        """Seconds until it expires; 1 where it never does, as pynetdicom has it."""
        if self.timeout is None:
            return 1.0
        if self._start_time is None:
            return float(self.timeout)
        until = self._clock() if self._end_time is None else self._end_time
        return float(self.timeout - (until - self._start_time))

    def start(self) -> None:
        """Begin anew."""
        self._start_time: float | None = self._clock()
        self._end_time: float | None = None

    def stop(self) -> None:
        """What remains now, remains."""
        self._end_time = self._clock()


class EdgeUpperLayer(DULServiceProvider):  # type: ignore[misc]  # pynetdicom has no types
    """Remembers the titles as they were sent, whatever bytes they are of."""

    calling_ae = "UNKNOWN"
    called_ae = "UNKNOWN"

    def __init__(self, assoc: Any, clock: Clock = MONOTONIC) -> None:
        super().__init__(assoc)
        # The association's time-outs arm them.
        self._idle_timer, self.artim_timer = MonotonicTimer(None, clock), MonotonicTimer(None, clock)

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
        self.max_pdu_bytes = max_pdu_bytes
        self._limit = PDU_HEAD
        self._pushed = bytearray()

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, fewer when the peer is gone.

        Raises:
            OSError: longer than allowed, silent for too long, or the connection is broken.
        """
        self._check(nr_bytes)
        data = bytearray(nr_bytes)
        with memoryview(data) as view:
            read = self._fill(view)
        del data[read:]
        # PDUs come as a head of six bytes and then the rest, whose limit its type decides.
        self._limit = self._rest_limit(data[0]) if nr_bytes == PDU_HEAD and read == PDU_HEAD else PDU_HEAD
        return data

    def push_back(self, data: bytes) -> None:
        """What somebody else has read and `recv` shall give again."""
        self._pushed += data

    @property
    def pushed(self) -> bool:
        """Some of what was pushed back waits to be read."""
        return bool(self._pushed)

    @property
    def ready(self) -> bool:
        """There is something to read."""
        return self.pushed or bool(super().ready)

    def next_type(self) -> int | None:
        """The type of the next PDU, which stays to be read; None: it cannot be looked at."""
        sock = self.socket
        if sock is None or isinstance(sock, ssl.SSLSocket):
            return None
        try:
            ahead: bytes = sock.recv(1, socket.MSG_PEEK)
        except OSError:  # whoever reads it will hear
            return None
        return ahead[0] if ahead else None

    def _check(self, length: int) -> None:
        if length > self._limit:
            logs.warning("connection closed", reason=f"a PDU of {length} bytes", allowed=self._limit)
            raise OSError(f"a PDU of {length} bytes; {self._limit} are allowed")

    def _fill(self, view: memoryview) -> int:
        """How many bytes came before the peer was gone."""
        sock, read = self.socket, min(len(view), len(self._pushed))
        view[:read] = self._pushed[:read]
        del self._pushed[:read]
        if sock is None:
            raise OSError("the connection is closed")
        while read < len(view) and (piece := sock.recv_into(view[read:])):
            read += piece
        return read

    def _rest_limit(self, pdu_type: int) -> int:
        if pdu_type == P_DATA_TF:
            return self.max_pdu_bytes + PDU_SLACK
        return MAX_ASSOCIATE_BYTES if pdu_type == A_ASSOCIATE_RQ else MAX_OTHER_PDU_BYTES
