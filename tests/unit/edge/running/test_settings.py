"""Every setting can be said by environment, file or one JSON text, and mistakes are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_component.settings import Settings, SettingsError, load_settings

LEAST = {
    "EDGE_STACK": "ingest",
    "EDGE_NAME": "edge1",
    "EDGE_BUCKET": "dicom",
    "EDGE_EVENT_BUS": "bus",
    "EDGE_SPOOL": "/var/spool/edge",
}


def test_the_least_is_enough_and_the_edge_is_stack_and_name() -> None:
    settings = load_settings(LEAST)
    assert (settings.edge, settings.dicom_port, settings.senders) == ("ingest-edge1", 11112, [])


def test_the_environment_comes_before_the_json_text_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "edge.yaml"
    file.write_text("dicom_port: 1\nhealth_port: 1\nuploads_in_flight: 1\n")
    text = json.dumps({"health_port": 2, "uploads_in_flight": 2})
    settings = load_settings({**LEAST, "EDGE_CONFIG": text, "EDGE_UPLOADS_IN_FLIGHT": "3"}, file)
    assert (settings.dicom_port, settings.health_port, settings.uploads_in_flight) == (1, 2, 3)


def test_lists_and_senders_are_json() -> None:
    senders = [
        {"calling_ae": "CT1", "priority": "bulk", "commitment": {"ae": "CT1", "host": "ct1", "port": 104}}
    ]
    settings = load_settings({**LEAST, "EDGE_SENDERS": json.dumps(senders), "EDGE_CALLING_AES": '["CT1"]'})
    sender = settings.sender("CT1")
    assert sender is not None
    assert sender.commitment is not None
    assert (sender.priority, sender.commitment.port, settings.calling_aes) == ("bulk", 104, ["CT1"])


def test_under_greengrass_the_things_name_is_the_edges_name() -> None:
    whole = {"stack": "ingest", "bucket": "dicom", "event_bus": "bus", "spool": "/spool", "senders": []}
    found = load_settings({"EDGE_CONFIG": json.dumps(whole), "AWS_IOT_THING_NAME": "ingest-edge7"})
    assert (found.name, found.edge) == ("edge7", "ingest-edge7")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("EDGE_DICOM_PROT", "104", "EDGE_DICOM_PROT: no such setting"),
        ("EDGE_DICOM_PORT", "70000", "EDGE_DICOM_PORT: Input should be less than or equal to 65535"),
        ("EDGE_NETWORKS", '["10.0.0.1/8"]', "EDGE_NETWORKS"),
        ("EDGE_STACK", "manifests/x", "cannot be an edge's name"),
        ("EDGE_TLS_PORT", "2762", "tls_port needs tls_certificate and tls_key"),
        ("EDGE_PLAIN_DICOM", "false", "leaves no port"),
        ("EDGE_WATERMARK_WARN_PERCENT", "99", "watermarks must rise"),
        ("EDGE_SENDERS", '[{"calling_ae": "A"}, {"calling_ae": "A"}]', "senders names A twice"),
        ("EDGE_CONFIG", "[1]", "EDGE_CONFIG: a mapping of settings is expected"),
    ],
)
def test_a_mistake_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({**LEAST, variable: value})
    assert said in str(error.value)


def test_what_is_missing_is_named_all_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({})
    for name in LEAST:
        assert f"{name} is not set" in str(error.value)


def test_settings_survive_the_way_to_the_worker() -> None:
    settings = load_settings({**LEAST, "EDGE_SENDERS": '[{"calling_ae": "A"}]'})
    assert Settings.model_validate(json.loads(settings.model_dump_json())) == settings
