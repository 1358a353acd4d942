"""The bytes of a connection: its socket, TLS, time-outs and its end."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from contextlib import suppress

LINGER_SECONDS = 1.0
"""After the last word a peer may take so long to close: what it still sends must not make a reset of it."""
LINGER_BYTES = 4 * 1024 * 1024
_WHOLE = getattr(socket, "MSG_WAITALL", 0)
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)
_TIMES = struct.Struct("ll")


class GoneError(Exception):
    """The connection is over; the message says why."""


class Stream:
    """One socket. Any thread may `drop` it; everything else belongs to the connection's own thread."""

    def __init__(self, connection: socket.socket) -> None:
        self.dropped = False
        self.abort_asked = False
        self.hold_seconds = 0.0
        """Every answer waits for so long."""
        self._socket = connection
        self._flags = 0

    def drop(self, *, abort: bool) -> None:
        """End it: what comes is read no more. `abort`: something may still be sent."""
        self.abort_asked, self.dropped = abort, True
        with suppress(OSError):
            # Not `SSLSocket.shutdown`: it ends the encryption, and the connection's own thread still reads.
            socket.socket.shutdown(self._socket, socket.SHUT_RD if abort else socket.SHUT_RDWR)

    def cut_off(self) -> bool:
        """Dropped without a word."""
        return self.dropped and not self.abort_asked

    def no_delay(self) -> None:
        """Answers go at once."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handshake(self, context: ssl.SSLContext, seconds: float) -> None:
        """TLS from here on; the time-out is one for all of the handshake."""
        self._socket.settimeout(seconds)
        self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket.do_handshake()

    def give(self, seconds: float) -> None:
        """The next `receive` may take so long."""
        self._socket.settimeout(max(0.001, seconds))

    def wait_in_the_system(self, seconds: float) -> None:
        """The system's own time-out, so that one call reads a whole PDU and none is needed to wait for it.

        TLS keeps Python's time-out: without one its `recv` begins again whenever the system's has passed.
        """
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(seconds)
            return
        self._socket.setblocking(True)
        limit = _TIMES.pack(int(seconds), int(seconds % 1 * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._flags = _WHOLE

    def receive(self, space: memoryview, missing: int) -> int | None:
        """So many bytes were read, 0 at the end; None: nothing came in time. `missing`: no more than these.

        Raises:
            OSError: the connection is broken.
        """
        try:
            if missing:
                return self._socket.recv_into(space, min(missing, len(space)), self._flags)
            return self._socket.recv_into(space)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return None

    def acknowledge_quickly(self) -> None:
        """Senders that keep Nagle's algorithm wait for an acknowledgement after the command (Linux)."""
        if _QUICK_ACK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def send(self, data: bytes) -> None:
        """All of it.

        Raises:
            OSError: the connection is broken.
        """
        if self.hold_seconds:
            time.sleep(self.hold_seconds)
        self._socket.sendall(data)

    @property
    def pending(self) -> bool:
        """TLS has bytes that were read and not taken."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def ready(self, seconds: float, *others: socket.socket) -> list[socket.socket]:
        """Those of this socket and the others that can be read, as soon as one can."""
        return _ready([self._socket, *others], seconds)

    def linger(self) -> None:
        """The peer gets the last word, and then closes; reading on keeps a reset from overtaking it."""
        if self.cut_off():
            return
        end, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
        with suppress(OSError, ValueError):
            self._socket.shutdown(socket.SHUT_WR)
            scrap = bytearray(65536)
            while left > 0 and (seconds := end - time.monotonic()) > 0:
                self._socket.settimeout(seconds)
                if not (count := self._socket.recv_into(scrap)):
                    return
                left -= count

    def close(self) -> None:
        """Free it."""
        self._socket.close()


def _ready(sockets: list[socket.socket], seconds: float) -> list[socket.socket]:
    """Those that can be read; `poll` knows no largest descriptor, and Windows knows no `poll`."""
    if not hasattr(select, "poll"):
        return select.select(sockets, [], [], seconds)[0]
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    found = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
    return [each for each in sockets if each.fileno() in found]
