"""What is behind the emulator on one endpoint: another server's answers, passed on as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import urllib3
from werkzeug.wrappers import Request

_OF_THE_CONNECTION = frozenset(
    (
        "connection",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_CHUNK = 1 << 16


class Proxy:
    """A WSGI application that answers with what `url` answers; 502 where it does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=50, retries=False)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = self._pool.request(
                request.method,
                self._url + str(environ["REQUEST_URI"]),
                body=request.stream if request.content_length else request.get_data(),
                headers=_end_to_end(request.headers),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
            return [f"{self._url} does not answer: {error}".encode()]
        start_response(f"{answer.status} {answer.reason or ''}", list(_end_to_end(answer.headers).items()))
        return answer.stream(_CHUNK, decode_content=False)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()


def _end_to_end(headers: Any) -> dict[str, str]:
    """The headers that are not of one connection (RFC 9110 section 7.6.1)."""
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION}
