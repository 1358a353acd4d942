"""When reclaim_import_slots opens the database: never with nothing to do, so that Aurora can sleep."""

from __future__ import annotations

import pytest

from functions.reclaim_import_slots.handler import FULL_PASS_SECONDS, Watch


def nothing_runs() -> bool:
    return False


def asleep() -> Watch:
    watch = Watch()
    watch.found_live, watch.looked_at = False, 1000.0
    return watch


def test_a_cold_start_looks() -> None:
    assert Watch().must_look(0, told=False, anything_runs=nothing_runs)


def test_nothing_live_and_nothing_running_lets_the_database_sleep() -> None:
    assert not asleep().must_look(1120, told=False, anything_runs=nothing_runs)


@pytest.mark.parametrize("reason", ["told", "live", "running", "six hours"])
def test_each_reason_to_look(reason: str) -> None:
    watch = asleep()
    watch.found_live = reason == "live"
    now = 1000 + FULL_PASS_SECONDS + 1 if reason == "six hours" else 1120
    assert watch.must_look(now, told=reason == "told", anything_runs=lambda: reason == "running")
