"""The C-STOREs of an established association, straight from its socket (PS3.8 Annex E, PS3.7 9.3.1).

Knows nothing of associations, and of DIMSE only the plain C-STORE: whatever else comes is given back unread.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edge_component.dimse.statuses import Status
from edge_component.receiving.store import StoreCommand
from edge_component.spool.files import Bytes

P_DATA_TF = 0x04
PDU_HEAD = 6
PDU_SLACK = 64
"""Some senders count the PDU's own head in, some do not."""
MORE_BYTES = 16 * 1024
"""Of the next PDU, read with the one before it."""
PDV_HEAD = 6
COMMAND, LAST = 1, 2
"""Bits of a presentation data value's control header (PS3.8 E.2)."""
C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
NO_DATASET = 0x0101
PLAIN_UID = re.compile(rb"[0-9.]{1,64}")
_STORES, _NONE = C_STORE_RQ.to_bytes(2, "little"), NO_DATASET.to_bytes(2, "little")
_ELEMENT = struct.Struct("<HHL")
_PDV = struct.Struct(">LBB")
_HEAD = struct.Struct(">BBL")
_WHOLE = getattr(socket, "MSG_WAITALL", 0)
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)


class Receives(Protocol):
    """One C-STORE on its way in (`store.Reception`)."""

    def write(self, data: Bytes) -> None:
        """The next fragment; its buffer is used again."""
        ...

    def finish(self) -> Status:
        """The answer."""
        ...

    def settle(self) -> None:
        """What is left to do when the answer is out."""
        ...

    def abandon(self) -> None:
        """It will not be finished."""
        ...


class Begins(Protocol):
    """Who takes C-STOREs."""

    def __call__(self, command: StoreCommand, /) -> Receives:
        """A C-STORE-RQ has come; its data set follows."""
        ...


class StoreRequest(NamedTuple):
    """A C-STORE-RQ whose command set was plain; its UIDs are echoed as they came."""

    context_id: int
    message_id: int
    sop_class_uid: bytes
    sop_instance_uid: bytes


@dataclass(frozen=True)
class HandBack:
    """Between two messages: the stream is somebody else's turn.

    `pdu`: what was read and is not ours, from its first byte, and what had come behind it. `gone`: why there
    will be no more. `wrong`: how the peer broke the protocol.
    """

    pdu: bytes = b""
    gone: str | None = None
    wrong: str | None = None


class WrongError(Exception):
    """The peer broke the protocol."""


class StoreStream:
    """Reads and answers until something comes that is no C-STORE, or nothing for a while."""

    def __init__(
        self, connection: socket.socket, contexts: Mapping[int, str], begin: Begins, max_pdu_bytes: int
    ) -> None:
        self._connection = connection
        self._contexts = contexts
        self._begin = begin
        self._flags = 0 if isinstance(connection, ssl.SSLSocket) else _WHOLE
        self._longest = max_pdu_bytes + PDU_SLACK
        self._buffer = memoryview(bytearray(PDU_HEAD + self._longest + MORE_BYTES))
        """The PDU that is looked at, what has come of the next, or the short one before it."""
        self._start = self._end = 0
        """What has come and was not looked at."""
        self._request: StoreRequest | None = None
        self._reception: Receives | None = None

    def run(self, linger_seconds: float) -> HandBack:
        """Until it is somebody else's turn."""
        try:
            return self._read_on(linger_seconds)
        except WrongError as error:
            return HandBack(wrong=str(error))
        except OSError as error:
            return HandBack(gone=f"{type(error).__name__}: {error}")
        finally:
            if self._reception is not None:
                self._reception.abandon()
                self._reception = None

    def _read_on(self, linger_seconds: float) -> HandBack:
        while True:
            if self._nothing_begun and not self._readable(linger_seconds):
                return HandBack()
            size = self._read_pdu()
            if self._buffer[self._start] != P_DATA_TF:
                return HandBack(self._unread())
            body = self._buffer[self._start + PDU_HEAD : self._start + size]
            self._start += size
            if rest := self._take(body):
                return HandBack(_HEAD.pack(P_DATA_TF, 0, len(rest)) + rest + self._unread())

    @property
    def _nothing_begun(self) -> bool:
        return self._reception is None and self._start == self._end

    def _unread(self) -> bytes:
        """What has come and is somebody else's."""
        return bytes(self._buffer[self._start : self._end])

    def _readable(self, seconds: float) -> bool:
        connection = self._connection
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        return bool(select.select([connection], [], [], seconds)[0])

    def _read_pdu(self) -> int:
        """Bytes of the PDU in the buffer, head and all. Of a longer one of another type: its head."""
        self._have(PDU_HEAD)
        length = int.from_bytes(self._buffer[self._start + 2 : self._start + PDU_HEAD], "big")
        if length > self._longest:
            if self._buffer[self._start] == P_DATA_TF:
                raise OSError(f"a PDU of {length} bytes; {self._longest} are allowed")
            return PDU_HEAD
        self._have(PDU_HEAD + length)
        return PDU_HEAD + length

    def _have(self, size: int) -> None:
        """Read until so many bytes are there: what comes, then exactly what is missing."""
        missing = size - (self._end - self._start)
        if missing <= 0:
            return
        if self._start == self._end or self._start + size > len(self._buffer):
            self._buffer[: self._end - self._start] = self._unread()
            self._start, self._end = 0, self._end - self._start
        if self._reception is not None:
            self._acknowledge_at_once()
        if size == PDU_HEAD:
            missing -= self._read(len(self._buffer) - self._end, 0)
        while missing > 0:
            missing -= self._read(missing, self._flags)

    def _read(self, most: int, flags: int) -> int:
        try:
            read = self._connection.recv_into(self._buffer[self._end :], most, flags)
        except BlockingIOError as error:  # how the system says that its own time-out is over
            raise TimeoutError("the peer is silent in the middle of a message") from error
        if not read:
            raise ConnectionError("the peer closed the connection")
        self._end += read
        return read

    def _take(self, body: memoryview) -> bytes:
        """The presentation data values of a PDU (PS3.8 9.3.5); from the first that is not ours, the rest."""
        at = 0
        while at < len(body):
            if len(body) - at < PDV_HEAD:
                raise WrongError("a presentation data value without its head")
            length, context_id, control = _PDV.unpack_from(body, at)
            end = at + 4 + length
            if length < 2 or end > len(body):
                raise WrongError(f"a presentation data value of {length} bytes")
            if self._reception is None:
                if not self._begun(context_id, control, body[at + PDV_HEAD : end]):
                    return bytes(body[at:])
            elif control & COMMAND:
                raise WrongError("a command inside a data set")
            else:
                self._reception.write(body[at + PDV_HEAD : end])
                if control & LAST:
                    self._answer()
            at = end
        return b""

    def _begun(self, context_id: int, control: int, data: memoryview) -> bool:
        """Whether this is a whole C-STORE-RQ of a context that was accepted: then its data set follows."""
        if control & (COMMAND | LAST) != COMMAND | LAST or context_id not in self._contexts:
            return False
        request = store_request(context_id, bytes(data))
        if request is not None:
            self._request = request
            uids = request.sop_class_uid.decode("ascii"), request.sop_instance_uid.decode("ascii")
            self._reception = self._begin(StoreCommand(*uids, self._contexts[context_id]))
        return request is not None

    def _answer(self) -> None:
        assert self._reception is not None and self._request is not None  # noqa: S101, PT018 - begun
        reception, self._reception = self._reception, None
        try:
            self._connection.sendall(store_response(self._request, reception.finish()))
        finally:
            reception.settle()

    def _acknowledge_at_once(self) -> None:
        """Senders that keep Nagle's algorithm wait for an acknowledgement after the command (Linux)."""
        if _QUICK_ACK is not None:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def store_request(context_id: int, encoded: bytes) -> StoreRequest | None:
    """The C-STORE-RQ in a plain command set (PS3.7 9.3.1.1); None: somebody else must look at it."""
    found: dict[int, bytes] = {}
    at, end = 0, len(encoded)
    while at + 8 <= end:
        group, element, length = _ELEMENT.unpack_from(encoded, at)
        following = at + 8 + length
        if group or element in found or following > end:
            return None
        found[element] = encoded[at + 8 : following]
        at = following
    command, message_id, dataset = map(found.get, (0x0100, 0x0110, 0x0800))
    if at != end or command != _STORES or message_id is None or dataset is None:
        return None
    uids = [found.get(element, b"").rstrip(b"\0 ") for element in (0x0002, 0x1000)]
    if len(message_id) != 2 or len(dataset) != 2 or dataset == _NONE:
        return None
    if not all(map(PLAIN_UID.fullmatch, uids)):
        return None
    return StoreRequest(context_id, int.from_bytes(message_id, "little"), *uids)


def store_response(request: StoreRequest, status: Status) -> bytes:
    """C-STORE-RSP (PS3.7 9.3.1.2) as one P-DATA-TF PDU."""
    comment = b""
    if not status.stored:
        comment = _field(0x0902, _even(status.short_comment.encode("ascii", "replace"), b" "))
    body = b"".join(
        (
            _field(0x0002, _even(request.sop_class_uid, b"\0")),
            _IS_RESPONSE,
            _field(0x0120, request.message_id.to_bytes(2, "little")),
            _HAS_NO_DATASET,
            _field(0x0900, status.code.to_bytes(2, "little")),
            comment,
            _field(0x1000, _even(request.sop_instance_uid, b"\0")),
        )
    )
    command = _field(0x0000, len(body).to_bytes(4, "little")) + body
    pdv = _PDV.pack(len(command) + 2, request.context_id, COMMAND | LAST) + command
    return _HEAD.pack(P_DATA_TF, 0, len(pdv)) + pdv


def _field(element: int, value: bytes) -> bytes:
    return _ELEMENT.pack(0, element, len(value)) + value


def _even(value: bytes, pad: bytes) -> bytes:
    return value + pad * (len(value) % 2)


_IS_RESPONSE = _field(0x0100, C_STORE_RSP.to_bytes(2, "little"))
_HAS_NO_DATASET = _field(0x0800, _NONE)
