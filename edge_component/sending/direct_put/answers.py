"""What a server answers to a PUT: success at a glance, everything else by the standard library."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from typing import Any, Protocol, cast

HEAD_BYTES = 64 * 1024
ERROR_BYTES = 1024 * 1024
END = b"\r\n\r\n"


class Receives(Protocol):
    """As much of a socket as an answer is read with."""

    def recv(self, size: int, /) -> bytes:
        """What has come, at most so much; nothing at the end."""
        ...

    def recv_into(self, buffer: Any, /) -> int:
        """The same, into a buffer."""
        ...


@dataclass(frozen=True)
class Answer:
    """`reusable`: the connection may carry another request."""

    status: int
    headers: Mapping[str, str] | HTTPMessage
    body: bytes
    reusable: bool


def read_answer(connection: Receives, method: str = "PUT") -> Answer:
    """The answer to the request that was sent.

    Raises:
        OSError, http.client.HTTPException: there is none.
    """
    begun = b""
    while END not in begun and len(begun) < HEAD_BYTES:
        received = connection.recv(HEAD_BYTES)
        if not received:
            break
        begun += received
    return _success(begun) or _any_other(begun, connection, method)


def _success(begun: bytes) -> Answer | None:
    """A plain 200 without a body, as S3 sends it; None: it is something else."""
    head, end, rest = begun.partition(END)
    status, *lines = head.decode("latin-1").split("\r\n")
    if not end or rest or not status.startswith("HTTP/1.1 200"):
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("content-length") != "0" or headers.get("connection", "keep-alive") != "keep-alive":
        return None
    return Answer(200, headers, b"", reusable=True)


def _any_other(begun: bytes, connection: Receives, method: str) -> Answer:
    response = HTTPResponse(cast(Any, _Begun(begun, connection)), method=method)
    response.begin()
    body = response.read(ERROR_BYTES)
    return Answer(response.status, response.headers, body, reusable=False)


class _Begun(io.RawIOBase):
    """What was received already, then what the connection still brings; to http.client it is a socket."""

    def __init__(self, begun: bytes, connection: Receives) -> None:
        super().__init__()
        self._begun = begun
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._begun:
            return self._connection.recv_into(buffer)
        count = min(len(buffer), len(self._begun))
        buffer[:count], self._begun = self._begun[:count], self._begun[count:]
        return count
