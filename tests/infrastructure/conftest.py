"""One synthesis of all variants, shared by every test and by every worker."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.infrastructure.template import Template
from tests.infrastructure.variants import VARIANTS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a folder per variant."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "synthesised"
    with (shared / "synthesised.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            aside = shared / "synthesising"
            command = [sys.executable, "-m", "cdk.review", str(aside)]
            done = subprocess.run(
                command, cwd=ROOT, input=json.dumps(VARIANTS), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
            aside.rename(folder)
    return folder


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
