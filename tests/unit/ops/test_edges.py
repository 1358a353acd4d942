"""An edge that says nothing is seen by what the index has of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from dicom_ingest.operators.read.state.attention import unheard

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def test_an_edge_that_announced_lately_and_says_nothing_is_in_trouble() -> None:
    seen = [
        {"edge": "s-well", "last_announced_at": NOW},
        {"edge": "s-mute", "last_announced_at": NOW - timedelta(days=1)},
        {"edge": "s-retired", "last_announced_at": NOW - timedelta(days=30)},
    ]
    (mute,) = unheard([{"edge": "s-well"}], seen, NOW)
    assert mute["edge"] == "s-mute"
    assert "says nothing of itself" in mute["trouble"]
