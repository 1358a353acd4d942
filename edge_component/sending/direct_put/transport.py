"""What botocore has prepared and signed, sent with a deadline for the whole exchange.

botocore and urllib3 limit each wait, not all of them together: a server that answers a byte a second holds a
connection for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from edge_component.sending.direct_put.answers import Answer
from edge_component.sending.direct_put.servers import Servers, authorization, proxy_of
from edge_component.sending.part import FilePart

HEAD_BYTES = 2048
"""Of a request that botocore sends itself: about what a signature and a session token take."""
LEFT_OUT = frozenset(("expect", "connection"))
"""Neither is signed. A body is sent at once: an answer before its end is read all the same."""


class Transport:
    """Sends the requests of the clients that it is attached to; used by many threads."""

    def __init__(self, timeout: float, verify: str | None) -> None:
        """`timeout`: seconds for each step. `verify`: as `Servers`."""
        self._servers = Servers(timeout, verify)

    def attach(self, client: Any) -> None:
        """From now on this client's requests go this way."""
        client.meta.events.register_last("before-send", self.send)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._servers.close()

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """The answer; None: botocore sends it itself (a body without a length, a proxy that wants TLS).

        Raises:
            botocore's errors.
        """
        url = urlsplit(request.url)
        origin = f"{url.scheme}://{url.netloc}"
        proxy = proxy_of(origin)
        size = len(request.body) if isinstance(request.body, bytes) else _length(request)
        if size is None or (proxy and urlsplit(proxy).scheme != "http"):
            _sent(request.body, HEAD_BYTES)
            return None
        target, lines = request.url.removeprefix(origin) or "/", [f"Host: {url.netloc.rpartition('@')[2]}"]
        extra = ""
        if proxy and url.scheme == "http":
            target, extra = request.url, authorization(urlsplit(proxy))
        names = {name.lower() for name in request.headers}
        lines = [] if "host" in names else lines
        kept = [name for name in request.headers if name.lower() not in LEFT_OUT]
        lines += [f"{name}: {_text(request.headers[name])}" for name in kept]
        if "content-length" not in names and request.method in ("POST", "PUT"):
            lines.append(f"Content-Length: {size}")
        head = f"{request.method} {target} HTTP/1.1\r\n" + "\r\n".join(lines) + f"\r\n{extra}\r\n"
        _sent(request.body, len(head))
        connections = self._servers.to(origin, proxy)
        answer = connections.exchange(head.encode("latin-1"), partial(_pieces, request.body), size)
        headers = HTTPHeaders.from_pairs(list(answer.headers.items()))
        return AWSResponse(request.url, answer.status, headers, _Body(answer))


class _Body:
    """What botocore reads an answer from."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """All of it."""
        yield self._answer.body


def _sent(body: Any, head: int) -> None:
    """It is signed by now: what is read of it leaves."""
    if isinstance(body, FilePart):
        body.sent(head)


def _length(request: AWSPreparedRequest) -> int | None:
    if request.body is None:
        return 0
    for name, value in request.headers.items():
        if name.lower() == "content-length":
            return int(value)
    return None


def _pieces(body: Any, buffer: memoryview) -> Iterable[memoryview]:
    if isinstance(body, bytes):
        yield memoryview(body)
    elif body is not None:
        body.seek(0)
        while piece := body.read(len(buffer)):
            yield memoryview(piece)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
