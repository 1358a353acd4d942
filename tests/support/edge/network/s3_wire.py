"""An S3 at the level of bytes: says what a test tells it to, and checks signatures by the specification."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SECRET = "secret"


@dataclass(frozen=True)
class Put:
    """A request as it came; `body` ends early where the connection did."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def whole(self) -> bool:
        """All of the body came."""
        return len(self.body) == int(self.headers.get("content-length", 0))


Reply = Callable[[Put], bytes | None]
"""The bytes of an answer; None: the connection is closed without one."""


def reply(status: str = "200 OK", body: bytes = b"", *headers: str) -> bytes:
    """An HTTP/1.1 answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def stored(put: Put) -> bytes:
    """As S3 answers a PUT: with the checksum it was sent."""
    return reply("200 OK", b"", 'ETag: "1"', f"x-amz-checksum-sha256: {put.headers['x-amz-checksum-sha256']}")


@dataclass
class WireS3:
    """One thread a connection. `close_after`: connections end, unannounced, after each answer."""

    reply: Reply = stored
    tls: ssl.SSLContext | None = None
    close_after: bool = False
    dribble: float = 0
    """Seconds between the bytes of an answer."""
    puts: list[Put] = field(default_factory=list)
    connections: int = 0
    closed: int = 0

    def __enter__(self) -> WireS3:
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed: the test is over
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                while (put := _receive(connection)) is not None:
                    self.puts.append(put)
                    answer = self.reply(put) if put.whole else None
                    if answer is not None and self.dribble:
                        _dribble(connection, answer, self.dribble)
                    elif answer is not None:
                        connection.sendall(answer)
                    if answer is None or self.close_after:
                        break
        except OSError:
            pass  # the client went away, or did not like our certificate
        self.closed += 1


def _dribble(connection: socket.socket, answer: bytes, seconds: float) -> None:
    for at in range(len(answer)):
        connection.sendall(answer[at : at + 1])
        time.sleep(seconds)


@dataclass
class Tunnel:
    """An HTTP proxy that knows CONNECT."""

    heads: list[bytes] = field(default_factory=list)
    status: bytes = b"200 Connection established"
    sockets: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Tunnel:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        for made in (self._server, *self.sockets):
            made.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed: the test has ended
            self.sockets.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        self.heads.append(head)
        connection.sendall(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
        if not self.status.startswith(b"200"):
            connection.close()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        server = socket.create_connection((host, int(port)))
        self.sockets.append(server)
        for source, target in ((connection, server), (server, connection)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side is gone


def _receive(connection: socket.socket) -> Put | None:
    begun = b""
    while b"\r\n\r\n" not in begun:
        received = connection.recv(65536)
        if not received:
            return None
        begun += received
    head, _, body = begun.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
    if headers.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < int(headers.get("content-length", 0)) and (received := connection.recv(1 << 20)):
        body += received
    return Put(line, headers, body)


def signed_rightly(put: Put) -> bool:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, once more by hand."""
    given = dict(part.split("=", 1) for part in put.headers["authorization"].split(" ", 1)[1].split(", "))
    _, date, region, service, end = given["Credential"].split("/")
    method, path, _ = put.line.split(" ")
    names = given["SignedHeaders"]
    lines = [method, path, "", *(f"{name}:{put.headers[name]}" for name in names.split(";")), "", names]
    canonical = "\n".join([*lines, put.headers["x-amz-content-sha256"]])
    scope = "/".join((date, region, service, end))
    text = "\n".join(
        ("AWS4-HMAC-SHA256", put.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = f"AWS4{SECRET}".encode()
    for part in (date, region, service, end, text):
        key = hmac.digest(key, part.encode(), "sha256")
    everything = {
        name for name in put.headers if name == "host" or name.startswith(("x-amz-", "content-type"))
    }
    return given["Signature"] == key.hex() and everything <= set(names.split(";"))
