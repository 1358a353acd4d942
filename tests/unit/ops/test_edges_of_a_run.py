"""The edges of a local run are asked side by side; one that is silent costs a second and hides no other."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dicom_ingest.operators.edges import ANSWER_SECONDS, SPARED_SECONDS, Edges
from tests.support.machine.silent_edge import silent_edge

SERIES = "1.2.3.1.1"
NOW = datetime(2026, 11, 29, 6, 40, tzinfo=timezone.utc)


@contextmanager
def an_edge(answers: dict[str, Any], status: int = 200) -> Iterator[int]:
    """A health port that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers[self.path]
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@contextmanager
def a_slow_edge() -> Iterator[int]:
    """It sends a byte now and then, each well in time, and never comes to an end."""
    over = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while not over.wait(0.05):
                try:
                    connection.send(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        yield int(listener.getsockname()[1])
        over.set()
        thread.join()


def test_every_edge_is_asked_and_one_that_is_away_hides_no_other() -> None:
    row = {"series_instance_uid": SERIES}
    with an_edge({"/where?q=A%2F1": {"edge": "e1", "series": [row]}, "/status": {"edge": "e1"}}) as port:
        edges = Edges(lambda: {"e1": port, "e2": 1}, now=lambda: NOW)
        first, second = edges.hold("A/1")
        said = edges.say()
    assert first == {"edge": "e1", **row}
    assert said == [{"edge": "e1"}, second]
    assert second == {
        "edge": "e2",
        "trouble": "does not answer at http://127.0.0.1:1: Connection refused; "
        "first asked at 2026-11-29 06:40:00 UTC",
    }


def test_edges_that_hang_cost_one_deadline_together() -> None:
    with an_edge({"/status": {"edge": "e1"}}) as port, silent_edge() as silent, a_slow_edge() as slow:
        began = time.monotonic()
        well, *troubled = Edges(lambda: {"e1": port, "e2": silent, "e3": silent, "e4": slow}).say()
        took = time.monotonic() - began
    assert well == {"edge": "e1"}
    assert [row["edge"] for row in troubled] == ["e2", "e3", "e4"]
    assert all(": no answer within 1 s; first asked at " in row["trouble"] for row in troubled)
    assert took < 3 * ANSWER_SECONDS, "one after the other they would take as long"


def test_an_edge_that_let_a_question_time_out_is_spared_the_next_ones() -> None:
    clock: list[float] = [0.0]
    ports: dict[str, int] = {}
    edges = Edges(lambda: ports, clock=lambda: clock[0])
    with silent_edge() as ports["e1"]:
        [before] = edges.say()
    with an_edge({"/status": {"edge": "e1"}}) as ports["e1"]:
        assert edges.say() == edges.hold() == [before]
        clock[0] += SPARED_SECONDS
        assert edges.say() == [{"edge": "e1"}]


def test_since_when_an_edge_is_silent_is_said() -> None:
    with an_edge({"/status": {"edge": "e1"}}) as port:
        edges = Edges(lambda: {"e1": port}, now=lambda: NOW)
        assert edges.say() == [{"edge": "e1"}]
    [row] = edges.say()
    assert row["trouble"].endswith("; it last answered at 2026-11-29 06:40:00 UTC")


@pytest.mark.parametrize("body", [b"hello", b"[]"])
def test_another_program_at_the_port_is_no_edge(body: bytes) -> None:
    with an_edge({"/status": body}) as port:
        [row] = Edges(lambda: {"e1": port}).say()
    assert ": what answers there is not an edge; " in row["trouble"]


def test_an_edge_that_cannot_answer_says_so() -> None:
    with an_edge({"/status": {}}, status=503) as port:
        [row] = Edges(lambda: {"e1": port}).say()
    assert "it says 503 " in row["trouble"]
