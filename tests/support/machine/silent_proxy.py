"""A way to a PostgreSQL server that can fall silent in the middle of a statement, and heal."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlencode, urlsplit


class SilentProxy:
    """Passes bytes on, both ways; while `silent` it takes bytes and answers nothing, as in a fail-over."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.{parts.port or 5432}"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.silent = False
        port = self._listening.getsockname()[1]
        options = urlencode({"sslmode": "disable", "timeout": timeout})
        self.url = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?{options}"
        """``DATABASE_URL`` of the same database, through the proxy."""
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Cut every connection."""
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                server.connect(self._socket)
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.silent:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def silent_proxy(url: str, timeout: float) -> Iterator[SilentProxy]:
    """A proxy before this server (a unix socket); its clients wait so long for an answer."""
    proxy = SilentProxy(url, timeout)
    try:
        yield proxy
    finally:
        proxy.close()
