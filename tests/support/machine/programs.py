"""Programs that a test needs and a fresh machine may lack: skipped with the reason, never failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def require(*programs: str) -> None:
    """Skip the test where one of these programs is not installed."""
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")


def interpreter(version: str) -> Path | None:
    """A Python of this version (`3.12`) that can make environments; pyenv's too, which hides all but one."""
    ask = [f"python{version}", "-c", "import ensurepip, sys, venv; print(sys.executable)"]
    environment = os.environ | {"PYENV_VERSION": version}
    try:
        answer = subprocess.run(ask, env=environment, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(answer.stdout.strip())
