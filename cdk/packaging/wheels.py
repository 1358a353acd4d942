"""Locked dependencies as binaries for another machine: from `uv.lock`, by uv, cached by its hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cdk.packaging.slices import publish

LAMBDA_PLATFORM = "aarch64-manylinux2014"
LAMBDA_PYTHON = "3.13"


SYSTEM_CERTS = {"UV_SYSTEM_CERTS": "1"}
"""As in pyproject.toml, which `uv tool run` does not read."""


class DependencyError(RuntimeError):
    """Dependencies could not be built; the message says what was run and what it answered."""


@dataclass(frozen=True)
class Lock:
    """The repository's one lock. `cache`: where what was built from it is kept."""

    root: Path
    cache: Path

    def installed(self, group: str, platform: str, python: str) -> Path:
        """A folder with a group's packages, installed for a platform (uv's name) and a Python version.

        Raises:
            DependencyError: not cached, and uv is missing or the package index is out of reach.
        """
        target = self.cache / f"{group}-{platform}-{python}-{self.fingerprint()}"
        if not target.exists():
            publish(target, lambda folder: self._install(folder, group, platform, python))
        return target

    def requirements(self, group: str) -> str:
        """The group's packages, pinned with hashes, as `requirements.txt`."""
        return self.uv(
            "export", "--frozen", "--no-emit-project", "--no-header", "--only-group", group, "--quiet"
        )

    def fingerprint(self) -> str:
        """Changes with the lock."""
        return hashlib.sha256((self.root / "uv.lock").read_bytes()).hexdigest()[:16]

    def _install(self, folder: Path, group: str, platform: str, python: str) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            requirements = Path(temporary) / "requirements.txt"
            requirements.write_text(self.requirements(group), encoding="utf-8")
            self.uv(
                *("pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable),
                *("--python-platform", platform, "--python-version", python),
                *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy"),
                *("-r", str(requirements)),
            )
        _tidy(folder)

    def uv(self, *arguments: str) -> str:
        """What uv answers.

        Raises:
            DependencyError: uv is missing, or it failed: what it was asked and what it said.
        """
        command = [str(find_uv(self.root)), *arguments]
        done = subprocess.run(  # noqa: S603 - a fixed program with our own arguments
            command, cwd=self.root, env=SYSTEM_CERTS | os.environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shown = " ".join(["uv", *arguments])
            raise DependencyError(
                f"the dependencies could not be packaged: `{shown}` ended with {done.returncode}:\n"
                f"{done.stderr.strip()}\nThe index is needed once per lock; then {self.cache} serves."
            )
        return done.stdout


def find_uv(root: Path) -> Path:
    """The uv that `make` installed, else one on the path.

    Raises:
        DependencyError: there is none.
    """
    name = "uv.exe" if sys.platform == "win32" else "uv"
    installed = root / ".local" / "uv" / "bin" / name
    found = str(installed) if installed.exists() else shutil.which(name)
    if found is None:
        raise DependencyError("uv is needed to package the dependencies: run `make env`, or install uv")
    return Path(found)


def _tidy(folder: Path) -> None:
    """Leave out what differs between machines or is never imported."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    for record in folder.glob("*.dist-info/RECORD"):
        record.unlink()
