"""PDUs by hand, for senders that do not keep to the standard."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA, A_RELEASE_RP, A_ABORT = 2, 3, 4, 6, 7


def pdu(kind: int, body: bytes) -> bytes:
    """Any PDU (PS3.8 9.3)."""
    return struct.pack(">BBL", kind, 0, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    """A variable item of an A-ASSOCIATE PDU."""
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_rq(
    contexts: Iterable[tuple[int, str, list[str]]],
    calling: bytes = b"WIRE",
    called: bytes = b"DICOM-INGEST",
    version: int = 1,
) -> bytes:
    """A-ASSOCIATE-RQ with these presentation contexts: id, abstract syntax, transfer syntaxes."""
    body = struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    body += item(0x10, APPLICATION_CONTEXT.encode())
    for number, abstract, transfers in contexts:
        inner = bytes([number, 0, 0, 0]) + item(0x30, abstract.encode())
        body += item(0x20, inner + b"".join(item(0x40, transfer.encode()) for transfer in transfers))
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4")
    return pdu(1, body + item(0x50, user))


def fragment(context: int, data: bytes, *, command: bool, last: bool) -> bytes:
    """A P-DATA-TF PDU with one presentation data value."""
    control = (1 if command else 0) | (2 if last else 0)
    return pdu(4, struct.pack(">LBB", len(data) + 2, context, control) + data)


def element(group: int, number: int, value: bytes) -> bytes:
    """An element in Implicit VR Little Endian."""
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", group, number, len(value)) + value


def store_command(sop_class: str, sop_instance: str, message_id: int = 1) -> bytes:
    """The command set of a C-STORE-RQ."""
    body = element(0, 0x0002, sop_class.encode())
    body += element(0, 0x0100, struct.pack("<H", 1))
    body += element(0, 0x0110, struct.pack("<H", message_id))
    body += element(0, 0x0700, struct.pack("<H", 0))
    body += element(0, 0x0800, struct.pack("<H", 1))
    body += element(0, 0x1000, sop_instance.encode())
    return element(0, 0, struct.pack("<L", len(body))) + body


def echo_command() -> bytes:
    """The command set of a C-ECHO-RQ."""
    body = element(0, 0x0002, VERIFICATION.encode()) + element(0, 0x0100, struct.pack("<H", 0x30))
    body += element(0, 0x0110, struct.pack("<H", 7)) + element(0, 0x0800, struct.pack("<H", 0x0101))
    return element(0, 0, struct.pack("<L", len(body))) + body


class Wire:
    """A TCP connection to the edge."""

    def __init__(self, port: int, source: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))

    def send(self, data: bytes) -> None:
        """As it is."""
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes] | None:
        """The next PDU's type and body; None: the connection was closed."""
        head = self._exactly(6)
        if head is None:
            return None
        kind, _, length = struct.unpack(">BBL", head)
        body = self._exactly(length)
        return None if body is None else (kind, body)

    def ended(self) -> bool:
        """The edge has aborted or closed; whatever it says before is read."""
        while (answer := self.receive()) is not None:
            if answer[0] == A_ABORT:
                return True
        return True

    def associate(self, contexts: Iterable[tuple[int, str, list[str]]] = ((1, CT, [EXPLICIT]),)) -> bytes:
        """A standing association; the A-ASSOCIATE-AC."""
        self.send(associate_rq(contexts))
        answer = self.receive()
        assert answer is not None
        assert answer[0] == A_ASSOCIATE_AC, answer
        return answer[1]

    def status(self) -> tuple[int, bytes]:
        """Status and whole command set of the next response."""
        answer = self.receive()
        assert answer is not None
        assert answer[0] == P_DATA, answer
        command = answer[1][6:]
        at = command.index(struct.pack("<HHL", 0, 0x0900, 2)) + 8
        return struct.unpack("<H", command[at : at + 2])[0], command

    def _exactly(self, length: int) -> bytes | None:
        data = b""
        while len(data) < length:
            try:
                piece = self.socket.recv(length - len(data))
            except ConnectionError:
                return None
            if not piece:
                return None
            data += piece
        return data

    def reset(self) -> None:
        """Gone, by a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@contextmanager
def wire(port: int, source: str = "") -> Iterator[Wire]:
    """A connection, from this address, that is closed at the end."""
    connection = Wire(port, source)
    try:
        yield connection
    finally:
        connection.socket.close()
