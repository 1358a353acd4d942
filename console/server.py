"""The console on loopback, in threads of the process that starts it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from console.application import Application
from console.run.source import Source
from console.run.sources import Sources

LOOPBACK = "127.0.0.1"


class PortError(ValueError):
    """The console cannot listen there; the message has the reason and what is allowed."""


class QuietHandler(WSGIRequestHandler):
    """No line per request: an address may name a patient's study."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing."""


def listen(port: int) -> socket.socket:
    """A listening socket: a client that asks before there is something to say waits.

    Raises:
        PortError: the port is taken, or is none.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortError(
            f"--console-port {port} on {LOOPBACK}: {reason}. Choose another one; 0 takes any free port"
        ) from error
    listener.listen()
    return listener


@contextmanager
def serve(source: Source, listener: socket.socket) -> Iterator[str]:
    """Answer while the block runs; the console's address."""
    sources = Sources(source)
    host, port = listener.getsockname()
    server = make_server(
        host,
        port,
        Application(sources),
        threaded=True,
        request_handler=QuietHandler,
        fd=listener.fileno(),
    )
    thread = threading.Thread(target=server.serve_forever, name="console", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        sources.close()
