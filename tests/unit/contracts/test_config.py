"""config.yaml: defaults work untouched, errors name the key, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicom_ingest.contracts.configuration.config import Config, ConfigError, load_config, parse_config

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
        ({"edge_config": []}, ["edge_config: at least 1 must be given, not 0"]),
        ({"edge_config": [{"name": "a"}, {"name": "a"}]}, ["edge_config: name must be given once", "a"]),
        (
            {"senders": [{"calling_ae": "CT"}, {"calling_ae": "CT "}]},
            ["senders: calling_ae must be given once", "CT"],
        ),
        ({"senders": [{"priority": "live"}]}, ["senders.0.calling_ae: is required"]),
        ({"resource_tags": {"aws:owner": "x"}}, ["resource_tags.aws:owner", "must be", "aws:"]),
        ({"cdk_app_name": "My Stack"}, ["cdk_app_name: must be 2 to 40 of a-z", "not 'My Stack'"]),
        ({"vpc_cidr": "10.31.0.0/8"}, ["vpc_cidr: must be a network address", "not '10.31.0.0/8'"]),
        ({"db_config": 3}, ["db_config: must be a mapping of keys, not 3"]),
        ({"edge_config": "edge1"}, ["edge_config: must be a list, not 'edge1'"]),
        (
            {"cdk_app_name": "st-marys-hospital-imaging-prod", "edge_config": [{"name": "e" * 26}]},
            ["cdk_app_name and edge_config.name", "at most 56 characters are allowed, not the 57"],
        ),
        ({"edge_config": [{"name": "a", "dicom_networks": ["fd00::/8"]}]}, ["dicom_networks", "fd00::/8"]),
        ({"availability_zones": ["us-east-1a"]}, ["availability_zones", "two or three different zones"]),
        ({"availability_zones": ["us-east-1a"] * 2}, ["availability_zones", "two or three different zones"]),
        ({"availability_zones": ["us-east-1", "us-east-2"]}, ["availability_zones.0", "'us-east-1'"]),
        (
            {"edge_config": [{"name": "a", "device_type": "VM"}]},
            ["edge_config.0.device_type", "'VM'", "'LOCAL' or 'EC2'"],
        ),
        ({"vpc_cidr": "10.0.0.0/8"}, ["vpc_cidr", "10.0.0.0/8", "from /16 to /24"]),
        ({"db_config": {"db_engine_pause": 2}}, ["db_engine_pause", "2", "5 to 1440"]),
        ({"db_config": {"max_acu_capacity": 0.3}}, ["max_acu_capacity", "0.3", "multiple of 0.5"]),
        ({"db_config": {"min_acu_capacity": 8, "max_acu_capacity": 4}}, ["max_acu_capacity must be"]),
        (
            {"resource_tags": {str(n): "x" for n in range(60)}},
            ["resource_tags: at most 50 must be given, not 60"],
        ),
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


def test_each_mistake_is_one_short_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(
            {"cdk_app_name": "x" * 5000, "edge_config": [{"name": "a"}, {"name": "a"}], "vpc_cidr": []}
        )
    first, *lines = str(caught.value).splitlines()
    assert first == "config.yaml cannot be used:"
    assert [line.split(":")[0].strip() for line in lines] == ["cdk_app_name", "vpc_cidr", "edge_config"]
    assert all(len(line) < 250 for line in lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a", "a mapping"),
        (b"a: [", "line 1, column 5"),
        (
            b"vpc_cidr: 10.0.0.0/16\nvpc_cidr: 10.1.0.0/16\n",
            "line 2, column 1: the key vpc_cidr is given twice",
        ),
        (b"db_config:\n  db_name: a\n  db_name: b\n", "line 3, column 3: the key db_name is given twice"),
        (b"environment: prod\n# caf\xe9\n", "line 2: not UTF-8; save the file as UTF-8"),
        (b"? [1, 2]\n: 3\n", "line 1"),
        (b"a: \x00", "not YAML"),
    ],
)
def test_a_file_that_is_not_a_configuration_is_named_with_its_place(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.yaml")


def test_what_will_disappoint_is_a_warning() -> None:
    config = parse_config({"db_config": {"min_acu_capacity": "ACU_8", "db_engine_pause": 20}})
    assert "no effect" in config.warnings()[0]
    assert "eu-central-1" in Config().warnings("eu-central-1")[0]
    assert Config().warnings("us-east-1") == []
    zones = parse_config({"availability_zones": ["us-east-1a", "us-east-1c"]})
    assert zones.warnings("us-east-1") == zones.warnings() == []
    assert zones.warnings("us-west-2") == ["availability_zones: us-east-1a, us-east-1c not in us-west-2"]


def test_the_longest_name_of_an_edge_fits_iam() -> None:
    config = parse_config({"cdk_app_name": "s" * 40, "edge_config": [{"name": "e" * 15}]})
    assert len(f"{config.edge_name('e' * 15)}-GG-Role") == 64
