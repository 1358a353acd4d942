"""A stand-in of Greengrass' token exchange service, which a device reaches before AWS is reached, or not."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a-token-of-the-nucleus"
PATH = "/2016-11-01/credentialprovider/"


class TokenExchange:
    """Answers as `mode` says: `well`, `500` (the device is offline), `silent`; not at all before `listen`."""

    def __init__(self) -> None:
        self.mode = "well"
        self.answered: list[int] = []
        self.over = threading.Event()
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                exchange.answer(self)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def variables(self) -> dict[str, str]:
        """What the nucleus gives components that depend on the service."""
        uri = f"http://localhost:{self._server.server_port}{PATH}"
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}

    def listen(self) -> None:
        """From now on connections are accepted."""
        self._server.server_activate()
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request."""
        if self.mode == "silent":
            self.over.wait()
            return
        status = 500 if self.mode == "500" else 200
        if request.path != PATH or request.headers.get("Authorization") != TOKEN:
            status = 403
        expires = datetime.now(timezone.utc) + timedelta(hours=1)
        body = {
            "AccessKeyId": "ASIATOKENEXCHANGE",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": expires.isoformat().replace("+00:00", "Z"),
        }
        self.answered.append(status)
        request.send_response(status)
        request.end_headers()
        request.wfile.write(json.dumps(body if status == 200 else {}).encode())

    def close(self) -> None:
        """End."""
        self.over.set()
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
