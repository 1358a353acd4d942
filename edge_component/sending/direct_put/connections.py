"""HTTP/1.1 connections to one server, kept between requests; errors as botocore's client raises them."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import wait_for_read

from edge_component.sending.direct_put.answers import Answer, read_answer
from edge_component.sending.verified import PIECE_BYTES

Body = Callable[[memoryview], Iterable[memoryview]]
"""Fills the buffer again and again, from the beginning each time it is called."""


@dataclass(frozen=True)
class Server:
    """Where to connect. `tls` None: plain HTTP. `timeout` in seconds, for each step that waits."""

    host: str
    port: int
    timeout: float
    tls: ssl.SSLContext | None

    @property
    def url(self) -> str:
        """For error messages."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


class Connections:
    """As many as are needed at a time; used by many threads."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._idle: deque[_Connection] = deque()

    def exchange(self, head: bytes, body: Body) -> Answer:
        """Send a request, and read its answer.

        Raises:
            EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError, SSLError;
            whatever `body` raises.
        """
        try:
            if (kept := self._kept()) is not None:
                # The server may have closed it just now. A PUT may be sent twice (RFC 9110 9.2.2).
                with suppress(ConnectionError):
                    return self._exchange(kept, head, body)
            return self._exchange(_Connection(self._server), head, body)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self._server.url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._server.url, error=error) from error
        except (OSError, HTTPException) as error:
            raise ConnectionClosedError(endpoint_url=self._server.url, error=error) from error

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> _Connection | None:
        with suppress(IndexError):  # another thread may take the last one
            while True:
                connection = self._idle.pop()
                if connection.quiet:
                    return connection
                connection.close()
        return None

    def _exchange(self, connection: _Connection, head: bytes, body: Body) -> Answer:
        reusable = False
        try:
            answer = connection.exchange(head, body)
            reusable = answer.reusable
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                connection.close()
        return answer


class _Connection:
    def __init__(self, server: Server) -> None:
        self._buffer = memoryview(bytearray(PIECE_BYTES))
        try:
            self._socket = socket.create_connection((server.host, server.port), server.timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=server.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=server.url, error=error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.tls is not None:  # where it fails it closes the socket
            self._socket = server.tls.wrap_socket(self._socket, server_hostname=server.host)

    @property
    def quiet(self) -> bool:
        """Nothing has come unasked for: the end of the connection would be something."""
        return not wait_for_read(self._socket, 0)

    def exchange(self, head: bytes, body: Body) -> Answer:
        try:
            unsent = head
            for piece in body(self._buffer):
                self._send(unsent + piece if unsent else piece)
                unsent = b""
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses early says why, and closes.
            return read_answer(self._socket)
        return read_answer(self._socket)

    def close(self) -> None:
        self._socket.close()

    def _send(self, data: bytes | memoryview) -> None:
        """Not `sendall`: its time-out is for all of the data, and a slow line may need longer."""
        left = memoryview(data)
        while left:
            left = left[self._socket.send(left) :]
