"""`make test-large` sends 4.2 GB; here the same with a little, so that it works when it is wanted."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.edge.large import run_once


def test_a_large_instance_arrives_in_s3_as_it_was_sent(tmp_path: Path) -> None:
    outcome = run_once(tmp_path, 40_000_000)
    assert outcome.wrong == []
    assert outcome.bytes > 40_000_000
