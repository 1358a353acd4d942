"""The Greengrass recipe's own scripts: the settings as one JSON, SIGTERM at the end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.edge_aws import EdgeCloud
from tests.support.edge_dicom import echo, send, series_of
from tests.support.edge_process import wait_until

ROOT = Path(__file__).parents[3]


def filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def recipe() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "edge_component" / "recipe.yaml").read_text())
    return found


def test_run_and_shutdown_scripts_run_and_shut_down(tmp_path: Path, cloud: EdgeCloud) -> None:
    lifecycle = recipe()["Manifests"][0]["Lifecycle"]
    configuration = {
        **recipe()["ComponentConfiguration"]["DefaultConfiguration"]["edge"],
        "stack": "test",
        "bucket": "dicom",
        "event_bus": "ingest",
        "senders": [],
        "bind": "127.0.0.1",
        "dicom_port": 0,
        "health_port": 0,
        "series_quiet_seconds": 0.5,
        "disk_reserve_bytes": 0,
    }
    values = {
        "work:path": str(tmp_path),
        "artifacts:decompressedPath": str(ROOT.parent),
        "artifact_name": ROOT.name,
        "configuration:/edge": json.dumps(configuration),
        "configuration:/region": "eu-west-1",
        "iot:thingName": "test-edge9",
    }
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    given = {name: filled(value, values) for name, value in lifecycle["Run"]["Setenv"].items()}
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **cloud.environment, **given}
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(
            ["sh", "-c", filled(lifecycle["Run"]["Script"], values)], env=environment, stdout=log, stderr=log
        )
        try:
            wait_until((tmp_path / "ready.json").exists, "the component listens")
            port = json.loads((tmp_path / "ready.json").read_text())["dicom_port"]
            assert echo(port)
            assert send(port, series_of(1)) == [0]
            shutdown = filled(lifecycle["Shutdown"]["Script"], values)
            with subprocess.Popen(["sh", "-c", shutdown], env=environment) as stopping:
                assert run.wait(30) == 0
                assert stopping.wait(30) == 0
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()
    assert list((tmp_path / "spool").iterdir())


def test_install_downloads_nothing() -> None:
    for manifest in recipe()["Manifests"]:
        script = manifest["Lifecycle"]["Install"]["Script"]
        assert "--no-index" in script
        assert "RequiresPrivilege" not in json.dumps(manifest)
