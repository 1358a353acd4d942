"""Open series are looked at when one of them may be complete, not after each instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_component.assembling.rules import Progress, Rules, not_due_for, seal_reason
from tests.support.edge.bench import Bench, rows


def looks(bench: Bench) -> list[str]:
    """Statements over all open series, from now on."""
    found: list[str] = []
    bench.journal.set_trace_callback(lambda sql: found.append(sql) if "WITH progress" in sql else None)
    return found


def test_open_series_are_not_looked_at_while_none_may_be_complete(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_quiet_seconds=3)
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.1", "1")
    bench.assembly.run_once()
    found = looks(bench)
    for number in range(2, 9):
        bench.receive(sender, "1.2", "1.2.1", str(number))
        bench.assembly.run_once()
        bench.clock.now += 0.25
    assert len(found) == 0
    bench.close(sender)
    bench.clock.now += 4
    assert bench.assembly.run_once()
    assert [row["seal_reason"] for row in rows(bench.journal, "SELECT seal_reason FROM series_transfer")] == [
        "quiet"
    ]


def test_a_series_that_reaches_its_limit_is_sealed_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_series_instances=3)
    sender = bench.associate()
    for number in range(3):
        bench.receive(sender, "1.2", "1.2.1", str(number))
        bench.assembly.run_once()
    assert rows(bench.journal, "SELECT seal_reason FROM series_transfer") == [{"seal_reason": "instances"}]


def test_a_second_series_is_sealed_in_its_own_time(tmp_path: Path) -> None:
    """The first one, whose association is open, is looked at seldom."""
    bench = Bench(tmp_path, series_quiet_seconds=2)
    first, second = bench.associate(), bench.associate()
    bench.receive(first, "1.2", "1.2.1", "1")
    bench.assembly.run_once()
    bench.clock.now += 1
    bench.receive(second, "1.2", "1.2.2", "2")
    bench.assembly.run_once()
    bench.close(second)
    bench.clock.now += 2.01
    bench.assembly.run_once()
    sealed = rows(bench.journal, "SELECT series_instance_uid FROM series_transfer WHERE sealed_at NOT NULL")
    assert sealed == [{"series_instance_uid": "1.2.2"}]


def test_an_abort_is_seen_after_the_quiet_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_quiet_seconds=2)
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.1", "1")
    bench.assembly.run_once()
    bench.clock.now += 10
    bench.assembly.run_once()
    bench.close(sender, aborted=True)
    bench.clock.now += 2.01
    bench.assembly.run_once()
    assert rows(bench.journal, "SELECT aborted FROM series_transfer WHERE sealed_at NOT NULL") == [
        {"aborted": 1}
    ]


@pytest.mark.parametrize("since", [0.0, 3.0, 9.99, 10.0, 50.0])
@pytest.mark.parametrize("age", [60.0, 995.0])
@pytest.mark.parametrize("open_", [True, False])
@pytest.mark.parametrize("aborted", [None, 0.0, 100.0])
def test_a_series_is_never_due_before_it_may_be(
    since: float, age: float, open_: bool, aborted: float | None
) -> None:
    rules = Rules(
        inactive_seconds=20,
        hard_cap_seconds=1000,
        max_instances=10,
        max_bytes=1000,
        duplicate_seconds=1,
        bulk_seconds=1,
    )

    def after(seconds: float) -> Progress:
        since_aborted = None if aborted is None else aborted + seconds
        return Progress(age + seconds, since + seconds, 1, 1, 10.0, open_, since_aborted)

    wait = not_due_for(after(0), rules)
    assert wait >= 0
    for share in (0.0, 0.3, 0.6, 0.99):
        if wait:
            assert seal_reason(after(wait * share), rules) is None
