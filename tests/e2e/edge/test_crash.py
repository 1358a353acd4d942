"""kill -9 under load, a few times; `make test-crash` does it two hundred times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.edge.crash import run_once
from tests.support.edge_aws import edge_cloud


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost_when_the_edge_is_killed_under_load(tmp_path: Path, seed: int) -> None:
    with edge_cloud() as cloud:
        outcome = run_once(cloud, tmp_path, seed)
    assert outcome.acknowledged > 0
    assert outcome.lost == []
    assert outcome.untrue == []
