"""HTTP/1.1 connections to one server, kept between requests; errors as botocore's client raises them."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import wait_for_read

from edge_component.line.line import PausedError
from edge_component.sending.answers import PRECONDITION_FAILED
from edge_component.sending.direct_put.answers import END, HEAD_BYTES, Answer, read_answer
from edge_component.sending.verified import PIECE_BYTES

Body = Callable[[memoryview], Iterable[memoryview]]
"""Fills the buffer again and again, from the beginning each time it is called."""


CONNECTED = re.compile(rb"HTTP/1\.[01] 200 .*?\r\n\r\n", re.DOTALL)
LEAST_BYTES_PER_SECOND = 16 * 1024
"""A line that carries less is not waited for."""
PATIENCE = 3
"""Times the time-out of one step, for a whole request and again for its whole answer."""


@dataclass(frozen=True)
class Server:
    """Where to connect. `tls` None: plain HTTP. `timeout` in seconds, for each step that waits.

    `proxy`: host and port of an HTTP proxy on the way, and the head of the CONNECT request that it wants.
    """

    host: str
    port: int
    timeout: float
    tls: ssl.SSLContext | None
    proxy: tuple[str, int] | None = None
    connect: bytes = b""

    @property
    def url(self) -> str:
        """For error messages."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


class Connections:
    """As many as are needed at a time; used by many threads."""

    def __init__(self, server: Server, connect: Connect | None = None) -> None:
        self._server = server
        self._connect = connect or Connection
        self._idle: deque[Connection] = deque()

    def exchange(self, head: bytes, body: Body, size: int) -> Answer:
        """Send a request with a body of this size, and read its answer, both before a deadline.

        Raises:
            EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError, SSLError;
            whatever `body` raises.
        """
        try:
            if (kept := self._kept()) is None:
                return self._exchange(self._connect(self._server), head, body, size)
            # The server may have closed it just now. A PUT may be sent twice (RFC 9110 9.2.2).
            try:
                return self._exchange(kept, head, body, size)
            except ConnectionError as closed:
                return self._again(closed, head, body, size)
        except BotoCoreError:  # some of them are OSErrors, too
            raise
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self._server.url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._server.url, error=error) from error
        except (OSError, HTTPException) as error:
            raise ConnectionClosedError(endpoint_url=self._server.url, error=error) from error

    def _again(self, closed: ConnectionError, head: bytes, body: Body, size: int) -> Answer:
        """Send it a second time.

        Raises:
            ConnectionError: whether it was stored the first time is not known; what `_exchange` raises.
        """
        try:
            answer = self._exchange(self._connect(self._server), head, body, size)
        except (ConnectTimeoutError, EndpointConnectionError, PausedError):
            raise closed from None  # the second one was not sent, the first one was
        if answer.status == PRECONDITION_FAILED:  # what exists may be what was sent first
            raise closed
        return answer

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> Connection | None:
        with suppress(IndexError):  # another thread may take the last one
            while True:
                connection = self._idle.pop()
                if connection.quiet:
                    return connection
                connection.close()
        return None

    def _exchange(self, connection: Connection, head: bytes, body: Body, size: int) -> Answer:
        reusable = False
        try:
            answer = connection.exchange(head, body, size)
            reusable = answer.reusable
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                connection.close()
        return answer


class Connection:
    """For one exchange at a time. `least`: bytes a second below which it is not waited for."""

    def __init__(
        self,
        server: Server,
        clock: Callable[[], float] = time.monotonic,
        least: int = LEAST_BYTES_PER_SECOND,
    ) -> None:
        self._buffer = memoryview(bytearray(PIECE_BYTES))
        self._timeout = server.timeout
        self._clock, self._least = clock, least
        self._until = clock() + PATIENCE * server.timeout
        try:
            place = server.proxy or (server.host, server.port)
            self._socket = socket.create_connection(place, server.timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=server.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=server.url, error=error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.connect:
            self._through_proxy(server)
        if server.tls is not None:  # where it fails it closes the socket
            self._socket = server.tls.wrap_socket(self._socket, server_hostname=server.host)

    @property
    def quiet(self) -> bool:
        """Nothing has come unasked for: the end of the connection would be something."""
        return not wait_for_read(self._socket, 0)

    def exchange(self, head: bytes, body: Body, size: int) -> Answer:
        """Send a request and read its answer."""
        self._allow(size)
        try:
            unsent = head
            pieces = iter(body(self._buffer))
            while (piece := self._next(pieces)) is not None:
                self._send(unsent + piece if unsent else piece)
                unsent = b""
            if unsent:
                self._send(unsent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server that refuses early says why, and closes
        self._allow(0)
        return read_answer(self, head[: head.index(b" ")].decode())

    def recv(self, size: int) -> bytes:
        """As a socket's, before the deadline."""
        return self._waits().recv(size)

    def recv_into(self, buffer: Any) -> int:
        """As a socket's, before the deadline."""
        return self._waits().recv_into(buffer)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _next(self, pieces: Iterator[memoryview]) -> memoryview | None:
        """The time for which the edge itself holds a piece back is not the server's."""
        asked = self._clock()
        piece = next(pieces, None)
        self._until += self._clock() - asked
        return piece

    def _send(self, data: bytes | memoryview) -> None:
        """Not `sendall`: its time-out is for all of the data, and a slow line may need longer."""
        left = memoryview(data)
        while left:
            left = left[self._waits().send(left) :]

    def _allow(self, size: int) -> None:
        """From now on: time for so many bytes."""
        self._until = self._clock() + PATIENCE * self._timeout + size / self._least

    def _waits(self) -> socket.socket:
        """For one step, and never beyond the deadline: a byte now and then keeps nothing open."""
        left = self._until - self._clock()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        self._socket.settimeout(min(self._timeout, left))
        return self._socket

    def _through_proxy(self, server: Server) -> None:
        said = b""
        try:
            self._send(server.connect)
            while END not in said and len(said) < HEAD_BYTES and (received := self.recv(HEAD_BYTES)):
                said += received
        except OSError as error:
            said = str(error).encode()
        if not CONNECTED.match(said):
            self.close()
            line = said.partition(b"\r\n")[0].decode("latin-1")
            raise ProxyConnectionError(proxy_url="{}:{}".format(*server.proxy or ()), error=line)


Connect = Callable[[Server], Connection]
