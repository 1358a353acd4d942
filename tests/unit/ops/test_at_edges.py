"""Where a series is before S3: read from what the edges of a stack said last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.targets.at_edges import heartbeats, held
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


def test_the_beginning_of_a_uid_is_enough_and_a_whole_one_means_that_one() -> None:
    row = HELD["detail"]["series"][0]
    logs = Logs(holdings(series=[{**row, "series_instance_uid": uid} for uid in ("2.25.1", "2.25.10")]))
    assert [found["series_instance_uid"] for found in held(logs, "s", "2.25", 1000)] == ["2.25.1", "2.25.10"]
    assert [found["series_instance_uid"] for found in held(logs, "s", "2.25.1", 1000)] == ["2.25.1"]


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
