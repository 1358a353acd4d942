"""The bytes of an association as a sender makes them (PS3.8 9.3, PS3.7 9.3.1)."""

from __future__ import annotations

import socket
import struct

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
CONTEXT = 1
LONGEST_PDU = 131_072
ASSOCIATE_RQ, ASSOCIATE_AC, P_DATA, RELEASE_RQ = 1, 2, 4, 5
COMMAND, DATA, LAST = 1, 0, 2
STATUS = struct.pack("<HHL", 0, 0x0900, 2)

CALLING = "BENCHMARK"
"""The sender's title, unless it is said otherwise."""


def pdu(kind: int, body: bytes) -> bytes:
    """One PDU."""
    return struct.pack(">BBL", kind, 0, len(body)) + body


def associate(sop_class: str, syntax: str, called: str = "EDGE", calling: str = CALLING) -> bytes:
    """A-ASSOCIATE-RQ with one presentation context."""
    proposed = bytes([CONTEXT, 0, 0, 0]) + _item(0x30, sop_class.encode()) + _item(0x40, syntax.encode())
    user = _item(0x51, struct.pack(">L", LONGEST_PDU)) + _item(0x52, b"2.25.1")
    head = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
    items = _item(0x10, APPLICATION_CONTEXT.encode()) + _item(0x20, proposed) + _item(0x50, user)
    return pdu(ASSOCIATE_RQ, head + items)


def accepted_length(answer: bytes) -> int:
    """The longest PDU that the acceptor takes.

    Raises:
        ValueError: the presentation context was not accepted.
    """
    longest, at = LONGEST_PDU, 68
    while at < len(answer):
        kind, length = struct.unpack_from(">BxH", answer, at)
        at += 4
        if kind == 0x21 and answer[at + 2] != 0:
            raise ValueError(f"the presentation context was refused with result {answer[at + 2]}")
        if kind == 0x50:
            longest = min(longest, _longest(answer[at : at + length]) or longest)
        at += length
    return longest


def store(sop_class: str, sop_instance: str, dataset: bytes, longest: int) -> bytes:
    """A whole C-STORE-RQ with its data set, as PDUs in a row."""
    command = _element(0x0002, sop_class.encode()) + _element(0x0100, b"\x01\0") + _element(0x0110, b"\x01\0")
    command += _element(0x0700, b"\0\0") + _element(0x0800, b"\x01\0")
    command += _element(0x1000, sop_instance.encode())
    command = _element(0x0000, struct.pack("<L", len(command))) + command
    room = longest - 6
    pieces = [dataset[at : at + room] for at in range(0, len(dataset), room)]
    last = len(pieces) - 1
    return _fragment(COMMAND | LAST, command) + b"".join(
        _fragment(LAST if number == last else DATA, piece) for number, piece in enumerate(pieces)
    )


def receive(connection: socket.socket) -> tuple[int, bytes]:
    """The next PDU's type and body.

    Raises:
        ConnectionError: the peer is gone.
    """
    kind, length = struct.unpack(">BxL", exactly(connection, 6))
    return kind, exactly(connection, length)


def exactly(connection: socket.socket, length: int) -> bytes:
    """So many bytes.

    Raises:
        ConnectionError: the peer is gone.
    """
    data = connection.recv(length, socket.MSG_WAITALL)
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionError("the receiver closed the connection")
        data += piece
    return data


def status(body: bytes) -> int:
    """The status of a C-STORE-RSP."""
    at = body.index(STATUS) + len(STATUS)
    return int(struct.unpack_from("<H", body, at)[0])


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def _element(number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", 0, number, len(value)) + value


def _fragment(control: int, data: bytes) -> bytes:
    return pdu(P_DATA, struct.pack(">LBB", len(data) + 2, CONTEXT, control) + data)


def _longest(user: bytes) -> int:
    at = 0
    while at < len(user):
        kind, length = struct.unpack_from(">BxH", user, at)
        if kind == 0x51:
            return int(struct.unpack_from(">L", user, at + 4)[0])
        at += 4 + length
    return 0
