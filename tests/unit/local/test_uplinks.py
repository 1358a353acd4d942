"""The limits of an edge's uplink in config.yaml hold in a local run, too."""

from __future__ import annotations

from dicom_ingest.contracts.configuration.config import parse_config
from edge_component.settings import load_settings
from local.parts.edges import line_settings


def test_an_edge_of_a_local_run_has_the_uplink_of_its_name() -> None:
    rules = [{"days": "mon-fri", "hours": "08:00-18:00", "mbit": 20}]
    narrow = {"name": "edge1", "uplink": rules, "time_zone": "Europe/Berlin", "full_warning_hours": 24}
    config = parse_config({"edge_config": [narrow, {"name": "edge2"}]})
    least = {"EDGE_STACK": "s", "EDGE_BUCKET": "dicom", "EDGE_EVENT_BUS": "b", "EDGE_SPOOL": "/spool"}

    def settings(name: str) -> object:
        told = {f"EDGE_{key}": value for key, value in line_settings(config, name).items()}
        given = load_settings({**least, "EDGE_NAME": name, **told})
        return [rule.mbit for rule in given.uplink], given.time_zone, given.full_warning_hours

    assert settings("edge1") == ([20], "Europe/Berlin", 24)
    assert settings("edge2") == ([], None, 12)
