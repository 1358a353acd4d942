"""Messages between the edge's own processes, over a socket that only they hold."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

_HEAD = struct.Struct(">cL")


@dataclass(frozen=True)
class Message:
    """One message. `connection`: the descriptor that came with it, ours to close."""

    kind: bytes
    body: bytes
    connection: int | None = None


class Channel:
    """Both directions of one socket; any thread may send, one receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()

    def send(self, kind: bytes, body: bytes = b"", connection: int | None = None) -> None:
        """One message, whole.

        Raises:
            OSError: the other end is closed.
        """
        data = _HEAD.pack(kind, len(body)) + body
        with self._sending:
            sent = 0
            if connection is not None:
                sent = socket.send_fds(self._socket, [data], [connection])
            self._socket.sendall(data[sent:])

    def messages(self) -> Iterator[Message]:
        """Until the other end is closed."""
        while head := self._receive_head():
            (kind, length), connection = _HEAD.unpack(head[0]), head[1]
            if (body := self._exactly(length)) is None:
                return
            yield Message(kind, body, connection)

    def close(self) -> None:
        """The other end sees that no more comes, and so do we."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is closed at the other end
            return

    def free(self) -> None:
        """Close the socket, when nothing is sent or received any more."""
        self._socket.close()

    def _receive_head(self) -> tuple[bytes, int | None] | None:
        try:
            # A descriptor comes with the first byte of its message, and only as far as the head is asked for.
            data, descriptors, _, _ = socket.recv_fds(self._socket, _HEAD.size, 1)
        except OSError:
            return None
        rest = self._exactly(_HEAD.size - len(data)) if data else None
        if rest is None:
            return None
        return data + rest, descriptors[0] if descriptors else None

    def _exactly(self, length: int) -> bytes | None:
        data = bytearray(length)
        view, read = memoryview(data), 0
        while read < length:
            try:
                got = self._socket.recv_into(view[read:])
            except OSError:
                return None
            if not got:
                return None
            read += got
        return bytes(data)
