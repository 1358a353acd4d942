"""Large imports stay within 512 MB, in a process of their own."""

from __future__ import annotations

import pytest

from benchmarks.emulator.compare import measure


@pytest.mark.parametrize(
    ("kind", "count", "side", "imported"),
    [("ct_series", 4500, 128, 4500), ("multi_frame", 300, 512, 1)],
    ids=["4,500 instances", "157 MB in 300 frames"],
)
def test_a_large_import_stays_within_512_mb(kind: str, count: int, side: int, imported: int) -> None:
    found = measure(kind, count, side)
    assert (found["imported"], found["frames"]) == (imported, count)
    assert found["peak_mb"] < 512
