"""Wrong choices are found before anything is started, with one clear line."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from dicom_ingest.contracts.configuration.config import Config
from local.run.options import Options, OptionsError


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionsError, match=rf"^--edge-port {port} on 127.0.0.1: Address already in use"):
            Options(edge_port=port).check()


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_impossible_port_is_refused(port: int) -> None:
    with pytest.raises(OptionsError, match="--aws-port"):
        Options(aws_port=port).check()


@pytest.mark.parametrize("name", ["", "../up", "Up", "a b", "a" * 33])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(OptionsError, match="--run"):
        Options(name=name).check()


def test_the_semaphore_is_as_configured_unless_chosen_otherwise() -> None:
    configured = Options(config=Config()).semaphore("0" * 32)
    assert (configured.capacity, configured.start_rate, configured.start_burst) == (50, 1.0, 2)
    chosen = Options(import_slots=3, start_rate=10, start_burst=4).semaphore("0" * 32)
    assert (chosen.capacity, chosen.start_rate, chosen.start_burst) == (3, 10, 4)


def test_series_share_imports_unless_config_yaml_says_otherwise() -> None:
    default = Options(config=Config()).semaphore("0" * 32)
    assert (default.bundles, default.bundle_patience) == (True, 600)
    alone = Config.model_validate({"ahli_config": {"bundles": False, "bundle_patience_seconds": 30}})
    configured = Options(config=alone).semaphore("0" * 32)
    assert (configured.bundles, configured.bundle_patience) == (False, 30)


@pytest.mark.parametrize(
    ("choice", "option"),
    [
        ({"import_slots": -1}, "--import-slots -1"),
        ({"start_rate": 0}, "--start-rate 0"),
        ({"quiet_seconds": 0}, "--quiet-seconds 0"),
    ],
)
def test_an_impossible_number_is_named_with_its_option(choice: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionsError, match=option):
        Options(**choice).check()


def test_no_slots_at_all_is_a_choice() -> None:
    assert Options(import_slots=0).semaphore("0" * 32).capacity == 0


def test_a_run_writes_below_its_own_name(tmp_path: Path) -> None:
    assert Options(name="demo", runs=tmp_path).folder == tmp_path / "demo"


def test_a_disk_that_is_nearly_full_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.run.options.FREE_BYTES", 1 << 60)
    with pytest.raises(OptionsError, match=r"none has .* GB free; a run needs"):
        Options(runs=tmp_path / "none").check()
