"""Events: small, without patients, and every released version stays accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.messages.events import (
    MAX_EVENT_BYTES,
    EdgeHeartbeat,
    EdgeHoldings,
    HeldSeries,
    SeriesComplete,
    SeriesCompleteEvent,
)
from dicom_ingest.contracts.messages.manifest import decode_manifest
from tests.support.workflow.series import Announced

SAMPLES = Path(__file__).parents[2] / "events"


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("series_complete.*.json")), ids=lambda path: path.name)
def test_every_released_series_complete_is_accepted(sample: Path) -> None:
    event = SeriesCompleteEvent.model_validate_json(sample.read_bytes())
    assert event.detail.prefix.endswith("/")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("edge_heartbeat.*.json")), ids=lambda path: path.name)
def test_every_released_heartbeat_is_accepted(sample: Path) -> None:
    EdgeHeartbeat.model_validate(json.loads(sample.read_bytes())["detail"])


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("edge_holdings.*.json")), ids=lambda path: path.name)
def test_every_released_list_of_holdings_is_accepted(sample: Path) -> None:
    assert EdgeHoldings.model_validate(json.loads(sample.read_bytes())["detail"]).series


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("manifest.*.jsonl.gz")), ids=lambda path: path.name)
def test_every_released_manifest_is_accepted(sample: Path) -> None:
    assert decode_manifest(sample.read_bytes()).instances


def test_there_is_a_sample_of_every_message_on_the_bus() -> None:
    names = {path.name.split(".")[0] for path in SAMPLES.iterdir()}
    assert names >= {"series_complete", "edge_heartbeat", "edge_holdings", "manifest"}


def test_absent_account_and_a_replays_name_and_unknown_keys_are_tolerated() -> None:
    replayed = Announced().envelope(**{"replay-name": "again", "of-a-later-day": 1})
    assert SeriesCompleteEvent.model_validate(replayed).replay_name == "again"
    assert SeriesCompleteEvent.model_validate(Announced().envelope()).account is None


def test_an_event_is_far_below_its_limit() -> None:
    longest = Announced(edge=f"dicom-ingest-{'e' * 100}", sop_instance_uids=("1",))
    assert len(json.dumps(longest.envelope())) < MAX_EVENT_BYTES / 10


def test_an_event_says_nothing_of_the_patient() -> None:
    personal = {a.column for a in ATTRIBUTES if a.level == "patient"}
    for message in (SeriesComplete, EdgeHeartbeat, EdgeHoldings, HeldSeries):
        assert personal.isdisjoint(message.model_fields)
