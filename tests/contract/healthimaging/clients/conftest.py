"""Real clients of the service, each of one version, in environments of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import MakeStand
from ..stand import Stand

ROOT = Path(__file__).parents[4]
UV = shutil.which("uv") or str(ROOT / ".local/uv/bin/uv")
PYTHON_CLIENTS = ("awscli==1.46.3", "AHItoDICOMInterface==0.1.3.4")
JAVASCRIPT_CLIENT = "@aws-sdk/client-medical-imaging@3.958.0"


def installed(command: list[str], seconds: int, what: str) -> None:
    """Run an installation; skips the test with the reason when it is not possible here."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds)
    except FileNotFoundError:
        pytest.skip(f"{what}: {command[0]} is not installed")
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what}: not installed within {seconds} s")
    except subprocess.CalledProcessError as failure:
        pytest.skip(f"{what}: not installed: {failure.stderr.strip().splitlines()[-1:]}")


@pytest.fixture(scope="session")
def python_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the clients that are Python packages."""
    folder = tmp_path_factory.mktemp("clients") / "venv"
    installed([UV, "venv", "--quiet", "--python", sys.executable, str(folder)], 60, "uv venv")
    install = [UV, "pip", "install", "--quiet", "--python", str(folder), *PYTHON_CLIENTS]
    installed(install, 120, ", ".join(PYTHON_CLIENTS))
    return folder / "bin"


@pytest.fixture(scope="session")
def javascript_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose node_modules has the SDK for JavaScript."""
    folder = tmp_path_factory.mktemp("javascript")
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent"]
    installed([*install, JAVASCRIPT_CLIENT], 120, JAVASCRIPT_CLIENT)
    return folder


@pytest.fixture
def stand(make_stand: MakeStand, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """A stand that clients find by their environment."""
    stand = make_stand()
    environment = {
        "AWS_ENDPOINT_URL_MEDICAL_IMAGING": stand.server.url,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.delenv(name, raising=False)
    return stand
