"""The fast path: an established association's P-DATA straight from the socket, C-STORE answered in place.

pynetdicom makes objects of every PDU, passes them through three queues, and looks for new ones a thousand
times a second. Here the thread that reads the socket goes on reading while the peer goes on sending. Whatever
is not P-DATA, and every message that is no C-STORE, goes the way that pynetdicom knows.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from typing import Any

from edge_component import logs
from edge_component.dimse.messages import (
    C_STORE_RQ,
    NO_DATASET,
    AnyRequest,
    BeginStore,
    EdgeDimse,
    StoreRequest,
)
from edge_component.dimse.upper_layer import P_DATA_TF, EdgeUpperLayer
from edge_component.statuses import Status
from edge_component.store import Reception

ESTABLISHED = "Sta6"
LINGER_SECONDS = 0.02
"""A sender that has its answer sends the next request within so long; then pynetdicom's loop takes over."""
PARK_SECONDS = 1.0
"""For so long at most the association's own thread leaves the reading thread alone."""
PDV_HEAD = 6
PLAIN_UID = re.compile(rb"[0-9.]{1,64}")
_ELEMENT = struct.Struct("<HHL")
_PDV = struct.Struct(">LB")
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)


class FastRequest:
    """A C-STORE-RQ whose command set was plain; its UIDs are echoed as they came."""

    def __init__(
        self, context_id: int, message_id: int, sop_class_uid: bytes, sop_instance_uid: bytes
    ) -> None:
        self.context_id = context_id
        self.message_id = message_id
        self.sop_class_uid = sop_class_uid
        self.sop_instance_uid = sop_instance_uid
        self.reception: Reception

    @property
    def command(self) -> tuple[str, str]:
        """SOP class and instance UID."""
        return self.sop_class_uid.decode("ascii"), self.sop_instance_uid.decode("ascii")


class FastDimse(EdgeDimse):
    """Answers a C-STORE in the thread that has read it."""

    def __init__(self, assoc: Any, begin_store: BeginStore) -> None:
        super().__init__(assoc, begin_store)
        self.reading = threading.Event()
        """Cleared while the fast path reads."""
        self.reading.set()

    def get_msg(self, block: bool = False) -> Any:
        """The next message; waits while there can be none."""
        self.reading.wait(PARK_SECONDS)
        return super().get_msg(block)

    @property
    def waiting(self) -> bool:
        """Whether pynetdicom's side has something to do."""
        return self._broken or not self.msg_queue.empty()

    @property
    def between_messages(self) -> bool:
        """Nothing has been begun."""
        return self._request is None and not self._fragments

    def take(self, body: memoryview) -> None:
        """The presentation data values of one PDU (PS3.8 9.3.5)."""
        at = 0
        while at < len(body):
            if len(body) - at < PDV_HEAD:
                self._fail("a presentation data value without its head")
                return
            length, context_id = _PDV.unpack_from(body, at)
            at += 4
            if not 2 <= length <= len(body) - at:
                self._fail(f"a presentation data value of {length} bytes")
                return
            self.receive_fragment(context_id, body[at + 1 : at + length])
            if self._broken:
                return
            at += length

    def _parsed(self, context_id: int, encoded: bytes) -> FastRequest | None:
        return store_request(context_id, encoded)

    def _complete(self, context_id: int, request: AnyRequest) -> None:
        status = request.reception.finish()
        plain = request if isinstance(request, FastRequest) else _plain(context_id, request)
        self.dul.socket.send(store_response(plain, status))


class FastUpperLayer(EdgeUpperLayer):
    """Reads on while the peer sends."""

    def _read_pdu_data(self) -> None:
        dimse = self.assoc.dimse
        if self.state_machine.current_state != ESTABLISHED or not isinstance(dimse, FastDimse):
            super()._read_pdu_data()
            return
        dimse.reading.clear()
        try:
            self._read_on(dimse)
        finally:
            dimse.reading.set()

    def _read_on(self, dimse: FastDimse) -> None:
        while True:
            try:
                if self.socket.peek_type() != P_DATA_TF:
                    super()._read_pdu_data()
                    return
                dimse.take(self.socket.recv_body())
            except OSError as error:
                logs.warning("connection closed", reason=f"{type(error).__name__}: {error}")
                self.event_queue.put("Evt17")  # PS3.8 9.2: transport connection closed
                return
            acknowledge_at_once(self.socket.socket)
            self._idle_timer.restart()
            if dimse.waiting or self._has_work():
                return
            if dimse.between_messages and not self.socket.readable(LINGER_SECONDS):
                return

    def _has_work(self) -> bool:
        """Something to send, an event to act on, or the end."""
        return bool(self._kill_thread or not self.to_provider_queue.empty() or not self.event_queue.empty())


def acknowledge_at_once(connection: socket.socket | None) -> None:
    """Senders that keep Nagle's algorithm wait for an acknowledgement after the command (Linux)."""
    if _QUICK_ACK is not None and connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def store_request(context_id: int, encoded: bytes) -> FastRequest | None:
    """The C-STORE-RQ in a plain command set (PS3.7 9.3.1.1); None: somebody else must look at it."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(encoded):
        group, element, length = _ELEMENT.unpack_from(encoded, at)
        at += 8
        if group != 0 or element in found or at + length > len(encoded):
            return None
        found[element] = encoded[at : at + length]
        at += length
    numbers = [found.get(element, b"") for element in (0x0100, 0x0110, 0x0800)]
    if at != len(encoded) or any(len(number) != 2 for number in numbers):
        return None
    command, message_id, dataset = (int.from_bytes(number, "little") for number in numbers)
    uids = [found.get(element, b"").rstrip(b"\0 ") for element in (0x0002, 0x1000)]
    if command != C_STORE_RQ or dataset == NO_DATASET or not all(map(PLAIN_UID.fullmatch, uids)):
        return None
    return FastRequest(context_id, message_id, *uids)


def store_response(request: FastRequest, status: Status) -> bytes:
    """C-STORE-RSP (PS3.7 9.3.1.2) as one P-DATA-TF PDU."""
    fields = [
        (0x0002, _even(request.sop_class_uid, b"\0")),
        (0x0100, b"\x01\x80"),
        (0x0120, struct.pack("<H", request.message_id)),
        (0x0800, struct.pack("<H", NO_DATASET)),
        (0x0900, struct.pack("<H", status.code)),
    ]
    if not status.stored:
        fields.append((0x0902, _even(status.short_comment.encode("ascii", "replace"), b" ")))
    fields.append((0x1000, _even(request.sop_instance_uid, b"\0")))
    body = b"".join(
        _ELEMENT.pack(0, element, len(value)) + value
        for element, value in fields
        if value or element not in (0x0002, 0x1000)
    )
    command = _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body
    pdv = struct.pack(">LBB", len(command) + 2, request.context_id, 3) + command
    return struct.pack(">BBL", P_DATA_TF, 0, len(pdv)) + pdv


def _plain(context_id: int, request: AnyRequest) -> FastRequest:
    assert isinstance(request, StoreRequest)  # noqa: S101 - there are two kinds
    uids = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
    return FastRequest(context_id, request.MessageID, *(str(uid or "").encode("ascii") for uid in uids))


def _even(value: bytes, pad: bytes) -> bytes:
    return value + pad * (len(value) % 2)
