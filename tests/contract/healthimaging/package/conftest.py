"""The package as others get it: its wheel, in an environment that held nothing before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
ROOM = ROOT / "healthimaging-emulator"
UV = shutil.which("uv") or str(ROOT / ".local/uv/bin/uv")
BIN = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, its extras and pytest."""

    folder: Path

    def command(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.folder / BIN / name)

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing of AWS or of this project but `more`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON", "PYTEST"))}
        return inherited | {"AWS_EC2_METADATA_DISABLED": "true"} | more

    def run(self, *command: str, cwd: Path, **environment: str) -> str:
        """What a command of the environment prints; fails the test with its output otherwise."""
        done = subprocess.run(
            [self.command(command[0]), *command[1:]], cwd=cwd, env=self.environment(**environment),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    if not Path(UV).exists():
        pytest.skip("uv, which builds the wheel, is not installed: make dev-env installs it")
    folder = tmp_path_factory.mktemp("dist")
    command = [UV, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOM)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def wheel_files(wheel: Path) -> Iterator[zipfile.ZipFile]:
    """The wheel, opened."""
    with zipfile.ZipFile(wheel) as opened:
        yield opened


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an empty environment; dependencies from the index, or from here where it is away."""
    folder = tmp_path_factory.mktemp("venv") / "venv"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", str(folder)]
    complete = subprocess.run([*install, f"{wheel}[codecs,moto]", "pytest"], capture_output=True, check=False)
    if complete.returncode != 0:  # no index
        subprocess.run([*install, "--offline", "--no-deps", str(wheel)], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "here.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return Installed(folder)


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a folder `scans` of two series."""
    folder = tmp_path_factory.mktemp("work")
    study = ROOT / "dcmdata/dx-chest"
    shutil.copytree(study, folder / "scans")
    return folder
