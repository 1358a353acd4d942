"""`ops console`: for a stack, on loopback; what edges say is not asked for with every look."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.__main__ import main
from ops.targets.source import KEPT_SECONDS, Kept


def test_what_edges_say_is_kept_for_some_seconds() -> None:
    asked: list[float] = []
    now = [0.0]

    def ask() -> list[dict[str, float]]:
        asked.append(now[0])
        return [{"at": now[0]}]

    kept = Kept(ask, clock=lambda: now[0])
    assert (kept(), kept()) == ([{"at": 0.0}], [{"at": 0.0}])
    now[0] = KEPT_SECONDS + 1
    assert kept() == [{"at": now[0]}]
    assert asked == [0.0, now[0]]


def test_a_local_run_is_told_that_it_has_a_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["console", "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
