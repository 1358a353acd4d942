"""The machine's own time zone changes nothing: Wait states compare with UTC."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_the_happy_path_works_west_of_greenwich() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/workflow/test_paths.py::test_happy",
    ]
    ended = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
