"""A listening port: accepts connections and hands each on before its first byte."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from edge_component.running import logs

BACKLOG = 128
AGAIN_SECONDS = 0.1
"""After an error of accept: no descriptor is free, say."""
Arrived = Callable[[socket.socket, str], None]
"""Takes a connection and the address of its peer."""


class Listener:
    """One port.

    Raises:
        OSError: it is taken or not allowed.
    """

    def __init__(self, address: tuple[str, int], arrived: Arrived) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        self._socket = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=dual)
        self._arrived = arrived
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def alive(self) -> bool:
        """Whether connections are being accepted."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Accept from now on."""
        self._thread.start()

    def close(self) -> None:
        """Accept no more; connections that were handed on are not touched."""
        self._closing = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept (Linux)
        self._socket.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, address = self._socket.accept()
            except OSError as error:
                if self._closing:
                    return
                logs.error("no connection can be accepted", reason=str(error))
                time.sleep(AGAIN_SECONDS)
                continue
            with connection:
                try:
                    self._arrived(connection, str(address[0]))
                except Exception as error:  # noqa: BLE001 - one connection must not end the port
                    logs.error("connection lost", peer=str(address[0]), reason=type(error).__name__)
