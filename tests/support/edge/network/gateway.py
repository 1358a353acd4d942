"""A TCP door in front of AWS that can be shut: what a lost network looks like to an edge."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = frozenset(("connection", "transfer-encoding", "content-length", "date", "server"))
Refusal = Callable[[str, str], int | None]
"""Method and path to the HTTP status that is answered in AWS's place; None: let it through."""


class Gateway:
    """Hands requests on to `upstream`; `refuse` may answer instead."""

    def __init__(self, upstream: str) -> None:
        self.refuse: Refusal = lambda _method, _path: None
        self.refused = 0
        self.code = "EntityTooLarge"
        """In the answers that refuse."""
        gateway, target = self, urlsplit(upstream).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                status = gateway.refuse(self.command, self.path)
                if status is not None:
                    gateway.refused += 1
                    error = f"<Error><Code>{gateway.code}</Code></Error>"
                    self._answer(status, [], error.encode())
                    return
                upstream_connection = http.client.HTTPConnection(target, timeout=30)
                try:
                    headers = {name: value for name, value in self.headers.items() if name != "Expect"}
                    upstream_connection.request(self.command, self.path, body, headers)
                    answer = upstream_connection.getresponse()
                    self._answer(answer.status, answer.getheaders(), answer.read())
                finally:
                    upstream_connection.close()

            def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
