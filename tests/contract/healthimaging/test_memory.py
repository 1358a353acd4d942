"""Large imports stay within 512 MB, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("kind", "count", "imported"),
    [("series", 4500, 4500), ("multi_frame", 300, 1)],
    ids=["4,500 instances", "157 MB in 300 frames"],
)
def test_a_large_import_stays_within_512_mb(kind: str, count: int, imported: int) -> None:
    command = [sys.executable, "-m", "tests.contract.healthimaging.memory_probe", kind, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    found = json.loads(done.stdout)
    assert (found["imported"], found["frames"]) == (imported, count)
    assert found["peak_mb"] < 512
