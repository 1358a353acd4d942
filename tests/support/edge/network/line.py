"""A line to AWS with a meter: a TCP door that counts, by its own clock, what an edge sends through it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit


class MeteredLine:
    """Hands connections on to `upstream`."""

    def __init__(self, upstream: str) -> None:
        target = urlsplit(upstream)
        self._upstream = (target.hostname, target.port)
        self._lock = threading.Lock()
        self.passed: list[tuple[float, int]] = []
        """When so many bytes had come from the edge."""
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> MeteredLine:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for each in (self._server, *self._sockets):
            each.close()

    @property
    def connections(self) -> int:
        """That the edge has opened."""
        return len(self._sockets) // 2

    @property
    def bytes(self) -> int:
        """That have come from the edge."""
        with self._lock:
            return sum(size for _, size in self.passed)

    def most_above(self, begun_at: float, rate: float) -> float:
        """The most bytes that were ahead of this rate, at any moment since it began."""
        passed, most = 0, 0.0
        with self._lock:
            for moment, size in self.passed:
                passed += size
                most = max(most, passed - rate * (moment - begun_at))
        return most

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
                upstream = socket.create_connection(self._upstream)
            except OSError:
                return  # the test has ended
            self._sockets += [connection, upstream]
            for source, sink, counted in ((connection, upstream, True), (upstream, connection, False)):
                threading.Thread(target=self._copy, args=(source, sink, counted), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    with self._lock:
                        self.passed.append((time.monotonic(), len(data)))
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
