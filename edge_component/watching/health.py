"""Health and numbers over HTTP, on loopback only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"


def prometheus(numbers: Mapping[str, float], labelled: Mapping[str, Mapping[str, float]]) -> str:
    """The text exposition format; `labelled`: by metric, the value per reason.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    lines = [f"dicom_ingest_edge_{name} {value}" for name, value in sorted(numbers.items())]
    for name, values in sorted(labelled.items()):
        for reason, value in sorted(values.items()):
            text = reason.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
            lines.append(f'dicom_ingest_edge_{name}{{reason="{text}"}} {value}')
    return "\n".join(lines) + "\n"


class HealthServer:
    """GET /health (200, or 503 with reasons), /metrics, /status."""

    def __init__(
        self,
        port: int,
        health: Callable[[], list[str]],
        metrics: Callable[[], str],
        status: Callable[[], Any],
    ) -> None:
        routes: dict[str, Callable[[], tuple[int, str, str]]] = {
            "/health": lambda: _health(health()),
            "/metrics": lambda: (200, "text/plain; version=0.0.4", metrics()),
            "/status": lambda: (200, "application/json", json.dumps(status())),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, content_type, text = routes.get(self.path.split("?")[0], _not_found)()
                body = text.encode()
                self.send_response(code)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
                """Nobody wants a line a poll."""

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _health(reasons: list[str]) -> tuple[int, str, str]:
    body = json.dumps({"healthy": not reasons, "reasons": reasons})
    return (503 if reasons else 200), "application/json", body


def _not_found() -> tuple[int, str, str]:
    return 404, "text/plain", "allowed: /health, /metrics, /status\n"
