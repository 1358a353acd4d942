"""The console on loopback, in threads of the process that keeps the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from local.console.application import Application
from local.console.sources import Sources
from local.state import RunState

LOOPBACK = "127.0.0.1"
PORT = 11180
"""By default; 0 takes a free one."""


class QuietHandler(WSGIRequestHandler):
    """No line per request: an address may name a patient's study."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing."""


@contextmanager
def serve(state: RunState, port: int = PORT) -> Iterator[str]:
    """Answer while the block runs; the console's address."""
    sources = Sources(state)
    server = make_server(LOOPBACK, port, Application(sources), threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, name="console", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        sources.close()
