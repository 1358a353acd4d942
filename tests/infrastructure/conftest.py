"""One synthesis of all variants, shared by every test and by every worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from cdk.packaging.build import Builder
from cdk.packaging.edge_wheels import PYTHONS, wheels
from tests.infrastructure.template import Template
from tests.infrastructure.variants import VARIANTS
from tests.support.machine.once import made_once
from tests.support.machine.programs import interpreter

BORROWED = {
    "AWS_ACCESS_KEY_ID": "ASIABORROWED",
    "AWS_SECRET_ACCESS_KEY": "borrowed-secret-key",
    "AWS_SESSION_TOKEN": "borrowed-session-token",
}
"""Credentials for an hour."""
ROOT = Path(__file__).parent.parent.parent
INTERPRETERS = {version: found for version in PYTHONS if (found := interpreter(version)) is not None}
"""The Pythons of this machine that an edge may have."""


@pytest.fixture(scope="session")
def edge_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The edge's code, and the wheels that this machine's Pythons need: a folder."""
    return made_once(tmp_path_factory, "artifact", _make_artifact)


def _make_artifact(folder: Path) -> None:
    with TemporaryDirectory() as build:
        shutil.copytree(Builder(build=Path(build), dependencies=False).edge_artifact, folder)
    platform = f"{os.uname().machine}-manylinux_2_28"
    shutil.copytree(wheels(Builder().lock, "edge", [platform], list(INTERPRETERS)), folder / "wheels")


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a folder per variant."""
    return made_once(tmp_path_factory, "synthesised", _synthesise)


def _synthesise(folder: Path) -> None:
    command = [sys.executable, "-m", "cdk.review", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(VARIANTS), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.fixture(scope="session")
def template(synthesised: Path) -> Callable[[str], Template]:
    """The template of a variant, by name."""

    @cache
    def read(name: str) -> Template:
        return Template(synthesised / name)

    return read


@pytest.fixture(scope="session")
def default(template: Callable[[str], Template]) -> Template:
    """The template of the untouched configuration."""
    return template("default")


@pytest.fixture(scope="session")
def longest(template: Callable[[str], Template]) -> Template:
    """The template with the longest names that `config.yaml` takes."""
    return template("longest")


@pytest.fixture
def aws_iot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty AWS IoT and its client; whatever the test starts finds it through its environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name, value in BORROWED.items():
        monkeypatch.setenv(name, value)
    yield boto3.Session().client("iot")
    server.stop()
