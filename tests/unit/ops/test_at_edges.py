"""Where a series is before S3: read from what edges said last, and asked of the edges of a local run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.targets.at_edges import edges_hold, edges_say, heartbeats, held
from ops.verbs.looking.edges import problems

SAMPLES = Path(__file__).parents[2] / "events"
BEAT, HELD = (
    json.loads((SAMPLES / f"{name}.v1.json").read_text())
    for name in ("edge_heartbeat.degraded", "edge_holdings")
)
EDGE, SERIES = "dicom-ingest-edge1", "1.2.3.1.1"


class Logs:
    """CloudWatch Logs, as much as is asked of it."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = events

    def get_paginator(self, operation: str) -> Logs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        assert asked["logGroupName"] == "/aws/events/s-heartbeats"
        return [{"events": [{"message": json.dumps(event)}]} for event in self.events]


def holdings(**changes: Any) -> dict[str, Any]:
    return {**HELD, "detail": {**HELD["detail"], **changes}}


@pytest.mark.parametrize("term", [SERIES, "1.2.3.1", "CT1", HELD["detail"]["series"][0]["transfer_id"]])
def test_a_series_at_an_edge_is_found_with_since_when_and_why(term: str) -> None:
    first = held(Logs(BEAT, HELD), "s", term, 1000)[0]
    assert (first["edge"], first["series_instance_uid"], first["state"]) == (EDGE, SERIES, "sealed")
    assert first["first_received_at"] == "2026-11-22T07:44:00Z"
    assert "NoSuchBucket" in first["waits_for"]


def test_only_what_an_edge_said_last_counts_all_pages_of_it() -> None:
    gone = {**HELD["detail"]["series"][0], "series_instance_uid": "9.9"}
    before = holdings(said_at="2026-11-22T08:00:00Z", series=[gone])
    pages = [holdings(page=n, pages=2, series=[HELD["detail"]["series"][n - 1]]) for n in (1, 2)]
    logs = Logs(before, BEAT, *pages)
    assert held(logs, "s", "9.9", 1000) == []
    assert [row["series_instance_uid"] for row in held(logs, "s", "CT1", 1000)] == [SERIES, "1.2.3.1.2"]


def test_an_edge_that_holds_more_than_it_lists_says_so() -> None:
    [row] = held(Logs(BEAT, holdings(series_more=7)), "s", "9.9", 1000)
    assert row == {"edge": EDGE, "trouble": "holds 7 more series than it lists: ask on the device"}


def test_holdings_are_no_heartbeats() -> None:
    [row] = heartbeats(Logs(BEAT, HELD), "s", 1000)
    assert row["spool_instances"] == BEAT["detail"]["spool_instances"]
    [line] = problems([row])
    assert line.startswith(f"{EDGE} degraded: no upload has succeeded since 2026-11-22T07:45:00Z")
    assert line.endswith("(see docs/operations.md#nothing-gets-out)")


@contextmanager
def an_edge(**answers: Any) -> Iterator[int]:
    """A health port that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_in_a_local_run_every_edge_is_asked_and_one_that_is_silent_hides_no_other() -> None:
    row = {"series_instance_uid": SERIES}
    with an_edge(**{"/where?q=A%2F1": {"edge": "e1", "series": [row]}, "/status": {"edge": "e1"}}) as port:
        first, second = edges_hold({"e1": port, "e2": 1}, "A/1")
        said = edges_say({"e1": port, "e2": 1})
    assert first == {"edge": "e1", **row}
    assert second["trouble"].startswith("does not answer at http://127.0.0.1:1/where")
    assert said[0] == {"edge": "e1"}
    assert said[1]["trouble"].startswith("does not answer at http://127.0.0.1:1/status")
