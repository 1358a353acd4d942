"""Health, numbers and whereabouts over HTTP, on loopback only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge_component.running import logs
from edge_component.running.problem import Problem, state_of, words_of

LOOPBACK = "127.0.0.1"
JSON = "application/json"
Answer = tuple[int, str, str]
"""Status, content type, body."""


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
    """GET /health (200 while ok or degraded, 503 when failed), /metrics, /status, /where?q=TERM.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        port: int,
        health: Callable[[], list[Problem]],
        metrics: Callable[[], str],
        status: Callable[[], Any],
        where: Callable[[str], Any],
    ) -> None:
        routes: dict[str, Callable[[str], Answer]] = {
            "/health": lambda _: _health(health()),
            "/metrics": lambda _: (200, "text/plain; version=0.0.4", metrics()),
            "/status": lambda _: (200, JSON, json.dumps(status())),
            "/where": lambda query: _where(where, query),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                code, content_type, text = _answer(routes.get(address.path, _not_found), address.query)
                body = text.encode()
                self.send_response(code)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
                """No line for each poll."""

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
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _answer(route: Callable[[str], Answer], query: str) -> Answer:
    try:
        return route(query)
    except Exception as error:  # noqa: BLE001 - what cannot be told must be told, too
        words = words_of(error)
        logs.error("health port cannot answer", error=words)
        body = {"status": "failed", "healthy": False, "reasons": [words], "problems": []}
        return HTTPStatus.SERVICE_UNAVAILABLE, JSON, json.dumps(body)


def _health(problems: list[Problem]) -> Answer:
    """A container check restarts the edge at 503: that does not help what is only degraded."""
    state = state_of(problems)
    body = {
        "status": state,
        "healthy": state == "ok",
        "reasons": [problem.line for problem in problems],
        "problems": [problem.fields() for problem in problems],
    }
    return (503 if state == "failed" else 200), JSON, json.dumps(body)


def _where(where: Callable[[str], Any], query: str) -> Answer:
    terms = parse_qs(query).get("q", [""])
    if len(terms) != 1:
        return HTTPStatus.BAD_REQUEST, "text/plain", "one ?q=TERM is allowed; none lists all series\n"
    return 200, JSON, json.dumps(where(terms[0].strip()))


def _not_found(_: str) -> Answer:
    return 404, "text/plain", "allowed: /health, /metrics, /status, /where, /where?q=TERM\n"
