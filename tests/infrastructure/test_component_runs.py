"""The component on a device, as far as it goes without Greengrass: its scripts run in a temporary root.

What Greengrass would do is done here: unpack the artifact, fill in its own variables, set the environment.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdk.edge.recipe import render_recipe
from cdk.packaging.build import Builder
from cdk.packaging.edge_wheels import wheels
from tests.infrastructure.conftest import ROOT

THING = "dicom-ingest-edge1"


@dataclass(frozen=True)
class Device:
    """A root with the artifact unpacked, and the Linux manifest of the recipe."""

    work: Path
    artifacts: Path
    recipe: dict[str, Any]

    def command(self, step: str) -> tuple[list[str], dict[str, str]]:
        """A lifecycle step as Greengrass starts it: the shell's command, and the environment."""
        lifecycle = self._lifecycle()
        own = {name: self._filled(value) for name, value in lifecycle["Run"]["Setenv"].items()}
        quiet = {"PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PIP_", "PYTHON", "EDGE_"))}
        environment = clean | quiet | (own if step == "Run" else {})
        return ["sh", "-c", self._filled(lifecycle[step]["Script"])], environment

    def run(self, step: str) -> subprocess.CompletedProcess[str]:
        """Run a step to its end, in the time that the recipe gives it."""
        command, environment = self.command(step)
        seconds = self._lifecycle()[step]["Timeout"]
        return subprocess.run(
            command,
            cwd=self.work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def _lifecycle(self) -> dict[str, Any]:
        (manifest,) = [m for m in self.recipe["Manifests"] if m["Platform"]["os"] == "linux"]
        steps: dict[str, Any] = manifest["Lifecycle"]
        return steps

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(\w+):([^}]*)\}", lambda found: self._value(found[1], found[2]), text)

    def _value(self, namespace: str, name: str) -> str:
        if namespace == "configuration":
            value: Any = self.recipe["ComponentConfiguration"]["DefaultConfiguration"]
            for part in name.strip("/").split("/"):
                value = value[part]
            return value if isinstance(value, str) else json.dumps(value)
        return {
            ("work", "path"): str(self.work),
            ("artifacts", "decompressedPath"): str(self.artifacts),
            ("iot", "thingName"): THING,
        }[namespace, name]


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """A device with the artifact that this machine's Python and processor need."""
    builder = Builder(build=tmp_path / "build", dependencies=False)
    lock = Builder().lock
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = wheels(lock, "edge", [f"{platform.machine()}-manylinux_2_28"], [python])
    artifacts, work = tmp_path / "artifacts", tmp_path / "work"
    work.mkdir()
    artifacts.mkdir()
    unpacked = artifacts / "0123abc"
    Path(builder.edge_artifact).rename(unpacked)
    (unpacked / "wheels").symlink_to(folder)
    text = (ROOT / "edge_component" / "recipe.yaml").read_text()
    values = {
        "component_name": "dicom-ingest-DIMSEtoS3",
        "component_version": "0.1.7",
        "artifact_uri": "s3://assets/0123abc.zip",
        "artifact_name": "0123abc",
        "stack": "dicom-ingest",
        "bucket": "a-bucket",
        "event_bus": "a-bus",
        "region": "eu-west-1",
        "senders": [{"calling_ae": "CT1"}],
    }
    recipe = render_recipe(text, values)
    edge = recipe["ComponentConfiguration"]["DefaultConfiguration"]["edge"]
    edge |= {"dicom_port": 0, "health_port": 0, "bind": "127.0.0.1", "drain_seconds": 1}
    return Device(work, artifacts, recipe)


@pytest.fixture
def running(device: Device) -> Iterator[subprocess.Popen[str]]:
    """The component, installed and started."""
    installed = device.run("Install")
    assert installed.returncode == 0, installed.stderr
    command, environment = device.command("Run")
    process = subprocess.Popen(command, cwd=device.work, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not (device.work / "ready.json").exists():
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline, "no ready.json after 30 s"
            time.sleep(0.05)  # a file of another process: there is nothing to wait on but its name
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_component_installs_without_an_index_runs_and_shuts_down(
    device: Device, running: subprocess.Popen[str]
) -> None:
    ready = json.loads((device.work / "ready.json").read_text())
    port = next(value for key, value in ready.items() if key.startswith("health"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as answer:
        assert THING in answer.read().decode()
    assert (device.work / "spool").is_dir()
    # It installs again at every start of the nucleus, also while nothing has changed.
    assert device.run("Install").returncode == 0
    reaper = threading.Thread(target=running.wait)  # as the nucleus does: a zombie would still take signals
    reaper.start()
    shutdown = device.run("Shutdown")
    assert shutdown.returncode == 0, shutdown.stderr
    reaper.join(timeout=30)
    assert running.returncode == 0


def test_shutting_down_what_never_started_is_no_error(device: Device) -> None:
    assert device.run("Shutdown").returncode == 0
    assert device.run("Recover").returncode == 0
