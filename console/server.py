"""The console on loopback, in threads of the process that keeps the run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from console.application import Application
from console.run.sources import Sources
from local.run.options import OptionsError
from local.run.state import RunState

LOOPBACK = "127.0.0.1"


class QuietHandler(WSGIRequestHandler):
    """No line per request: an address may name a patient's study."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing."""


def listen(port: int) -> socket.socket:
    """A listening socket: whoever asks before there is something to say waits.

    Raises:
        OptionsError: the port is taken, or is none.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise OptionsError(
            f"--console-port {port} on {LOOPBACK}: {reason}. Choose another one; 0 takes any free port"
        ) from error
    listener.listen()
    return listener


@contextmanager
def serve(state: RunState, listener: socket.socket) -> Iterator[str]:
    """Answer while the block runs; the console's address."""
    sources = Sources(state)
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
