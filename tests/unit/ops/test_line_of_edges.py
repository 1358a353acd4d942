"""What an edge says of its line is read by people: one sentence each, from status and heartbeat alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dicom_ingest.operators.read.state.line import bulk_senders, forecast, uplink
from ops.verbs.looking.edges import lines

SAMPLE = Path(__file__).parents[2] / "events" / "edge_heartbeat.line.v1.json"
LINE = {"limit_mbit": None, "paused": None, "since": None, "changes_at": None, "next_limit_mbit": None}


def test_the_command_line_has_a_line_for_each_thing_that_an_edge_says() -> None:
    said = json.loads(SAMPLE.read_text())["detail"]
    assert lines([said]) == [
        "dicom-ingest-edge1 uplink: 20 Mbit/s since 2026-11-22 07:00 UTC, "
        "no limit from 2026-11-22 17:00 UTC; uses 19.6 Mbit/s",
        "dicom-ingest-edge1 forecast: in 6.1 MB/s, out 2.5 MB/s; disk full at 2026-11-22 15:35 UTC, "
        "backlog not gone within two weeks",
        "dicom-ingest-edge1 bulk senders: answered slowly",
    ]


def test_an_edge_of_an_older_release_says_nothing_of_its_line() -> None:
    assert lines([{"edge": "e1"}, {"edge": "e2", "trouble": "does not answer"}]) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "no limit; uses 3.2 Mbit/s"),
        ({"limit_mbit": 0, "paused": "all"}, "all uploads paused; uses 3.2 Mbit/s"),
        (
            {"limit_mbit": 0, "paused": "bulk", "changes_at": "2026-11-23T05:00:00Z", "next_limit_mbit": 2.5},
            "bulk uploads paused, 2.5 Mbit/s from 2026-11-23 05:00 UTC; uses 3.2 Mbit/s",
        ),
    ],
)
def test_limits_and_pauses_in_words(changes: dict[str, Any], words: str) -> None:
    assert uplink({"uplink": {**LINE, "used_mbit": 3.2, **changes}}) == words


def test_a_line_that_keeps_up_foretells_nothing() -> None:
    found = {"behind": False, "in_bytes_per_second": 0.0, "out_bytes_per_second": None}
    words = "in 0.0 MB/s, out not known yet; all goes out as it comes in"
    assert forecast({"forecast": {**found, "disk_full_at": None, "backlog_empty_at": None}}) == words


def test_what_is_not_known_yet_is_not_foretold() -> None:
    found = {"behind": True, "in_bytes_per_second": 2e6, "out_bytes_per_second": None}
    words = "in 2.0 MB/s, out not known yet"
    assert forecast({"forecast": {**found, "disk_full_at": None, "backlog_empty_at": None}}) == words


def test_what_bulk_senders_meet_is_counted_by_sender() -> None:
    said = {
        "bulk_senders": "refuse",
        "bulk_answers_delayed": {"OLD": 14, "ARCHIVE": 2},
        "bulk_associations_rejected": {"OLD": 1},
    }
    words = "refused for now: ARCHIVE 2 answers delayed, OLD 14 answers delayed, OLD 1 associations rejected"
    assert bulk_senders(said) == words
    assert bulk_senders({"bulk_senders": "normal", "bulk_answers_delayed": {}}) is None
