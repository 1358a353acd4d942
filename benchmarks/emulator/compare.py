"""The emulator's figures, each case in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

CASES = {
    "import of 4,500 CT images of 512 x 512": ("ct_series", 4_500, 512),
    "import of one instance of 300 frames of 512 x 512": ("multi_frame", 300, 512),
    "frames of 512 x 512 by 32 clients": ("frames", 200, 512),
    "QIDO-RS over 10,000 studies": ("studies", 10_000, 16),
}


def measure(kind: str, count: int, side: int) -> dict[str, Any]:
    """The figures of one case."""
    command = [sys.executable, "-m", "benchmarks.emulator.case", kind, str(count), str(side)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - a module of ours
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def run() -> dict[str, Any]:
    """Measure every case."""
    return {"cases": {name: measure(*case) for name, case in CASES.items()}}
