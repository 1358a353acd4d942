"""config.yaml: defaults work untouched, errors name the key, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicom_ingest.contracts.config import Config, ConfigError, load_config, parse_config

ROOT = Path(__file__).parents[3]


def test_the_shipped_file_says_the_defaults() -> None:
    assert load_config(ROOT / "config.yaml") == Config()


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("")
    assert load_config(path) == Config()


@pytest.mark.parametrize(("written", "units"), [("ACU_8", 8), (8, 8), (0.5, 0.5), ("0.5", 0.5), ("acu_2", 2)])
def test_capacity_units_are_understood_in_every_spelling(written: Any, units: float) -> None:
    assert (
        parse_config(
            {"db_config": {"max_acu_capacity": 16, "min_acu_capacity": written}}
        ).db_config.min_acu_capacity
        == units
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"cdk_app_nam": "x"}, ["cdk_app_nam", "no such key", "cdk_app_name"]),
        (
            {"ahli_config": {"ahli_concurent_imports": 5}},
            ["ahli_concurent_imports", "ahli_concurrent_imports"],
        ),
        (
            {"ahli_config": {"ahli_concurrent_imports": 0}},
            ["ahli_concurrent_imports", "0", "greater than or equal to 1"],
        ),
        ({"edge_config": []}, ["edge_config", "at least 1"]),
        ({"edge_config": [{"name": "a"}, {"name": "a"}]}, ["names a twice"]),
        (
            {"edge_config": [{"name": "a", "device_type": "VM"}]},
            ["edge_config.0.device_type", "'VM'", "'LOCAL' or 'EC2'"],
        ),
        ({"vpc_cidr": "10.0.0.0/8"}, ["vpc_cidr", "10.0.0.0/8", "between /16 and /24"]),
        ({"db_config": {"db_engine_pause": 2}}, ["db_engine_pause", "2", "5 to 1440"]),
        ({"db_config": {"max_acu_capacity": 0.3}}, ["max_acu_capacity", "0.3", "multiple of 0.5"]),
        ({"db_config": {"min_acu_capacity": 8, "max_acu_capacity": 4}}, ["max_acu_capacity must be"]),
        ({"resource_tags": {str(n): "x" for n in range(51)}}, ["resource_tags", "50"]),
        (
            {"senders": [{"calling_ae": "CT", "priority": "urgent"}]},
            ["senders.0.priority", "'live' or 'bulk'"],
        ),
        (
            {"senders": [{"calling_ae": "CT", "prefer": "lossy"}]},
            ["senders.0.prefer", "'as_proposed' or 'lossless'"],
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(data: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(data)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [("- a", "a mapping"), ("a: [", "not YAML")])
def test_a_file_that_is_not_a_configuration_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "config.yaml")


def test_what_will_disappoint_is_a_warning() -> None:
    config = parse_config({"db_config": {"min_acu_capacity": "ACU_8", "db_engine_pause": 20}})
    assert "no effect" in config.warnings()[0]
    assert "eu-central-1" in Config().warnings("eu-central-1")[0]
    assert Config().warnings("us-east-1") == []
