"""What a case has measured is kept, whatever becomes of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.kept import Case, Kept


def measured(value: int) -> dict[str, Any]:
    return {"value": value}


def fails() -> dict[str, Any]:
    raise AssertionError("the machine is too small")


def cases(**runs: Any) -> list[Case]:
    return [Case("days", name.replace("_", " "), run) for name, run in runs.items()]


def values(kept: Kept) -> dict[str, int]:
    return {name: case["value"] for name, case in kept.read("b").get("days", {}).items()}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "results")


def test_a_case_that_fails_leaves_what_was_measured_before(kept: Kept) -> None:
    assert kept.measure("b", "c", cases(one=lambda: measured(1), two=lambda: measured(2)), []) == []
    failed = kept.measure("b", "c", cases(one=fails, two=lambda: measured(3)), [])
    assert [case.name for case in failed] == ["one"]
    assert values(kept) == {"one": 1, "two": 3}


def test_a_run_that_is_stopped_has_kept_what_it_measured(kept: Kept) -> None:
    def stopped() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.measure("b", "c", cases(one=lambda: measured(1), two=stopped), [])
    assert values(kept) == {"one": 1}


def test_only_the_named_cases_are_measured_and_stand_in_the_order_of_all(kept: Kept) -> None:
    several = cases(a_0=lambda: measured(1), a_1=lambda: measured(2), b_0=lambda: measured(3))
    kept.measure("b", "c", several, ["days b"])
    kept.measure("b", "c", several, ["0 a", "nothing"])
    assert values(kept) == {"a 0": 1, "b 0": 3}
    assert list(values(kept)) == ["a 0", "b 0"]


def test_each_case_says_when_and_on_what_it_was_measured(kept: Kept) -> None:
    kept.measure("b", "python -m benchmarks b", cases(one=lambda: measured(1)), [])
    case = kept.read("b")["days"]["one"]
    assert {"measured_at", "cores", "load_average"} <= case["machine"].keys()
    assert case["took_seconds"] >= 0
