"""kill -9 under load, a few times; `make test-crash` does it two hundred times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_nothing_acknowledged_is_lost_when_the_edge_is_killed_under_load(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "tests.e2e.edge.crash", "--runs", "2"]
    command += ["--results", str(results)]
    run = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr[-4000:]
    outcomes = [json.loads(line) for line in results.read_text().splitlines()]
    for outcome in outcomes:
        assert outcome["acknowledged"] > 0
        assert (outcome["lost"], outcome["untrue"]) == ([], [])
