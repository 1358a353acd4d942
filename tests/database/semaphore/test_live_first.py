"""A migration is not felt: slots are kept for live series, and starts are promised for seconds only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_ingest.contracts.messages.events import Priority
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.db.server.connection import Database
from tests.database.conftest import DATASTORE
from tests.support.workflow.bundles import held, open_, queue_up, transfer
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced
from tests.support.workflow.steps import Run, Steps, steps


@pytest.fixture
def flow(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with steps(World.around(database, DATASTORE), monkeypatch) as wired:
        yield wired


def waiting(flow: Steps, count: int, priority: Priority) -> list[Run]:
    """Series of transfers of their own that wait, and expect no others."""
    runs = queue_up(flow, [Announced(priority=priority) for _ in range(count)])
    flow.rows("UPDATE ahlijob SET expects_bundle = false")
    return runs


def paced(flow: Steps) -> None:
    flow.rows("UPDATE semaphore SET start_rate = 1, start_burst = 1, next_start = clock_timestamp()")


def told(runs: list[Run]) -> int:
    return sum(run.told() for run in runs)


@pytest.mark.parametrize(("capacity", "kept"), [(0, 0), (1, 0), (4, 0), (5, 1), (50, 10), (100, 20)])
def test_a_fifth_of_the_slots_is_kept_for_live_series(capacity: int, kept: int) -> None:
    assert kept_for_live(capacity) == kept


def test_a_migration_leaves_slots_to_live_series_which_start_at_once(flow: Steps) -> None:
    bulk = waiting(flow, 7, "bulk")
    open_(flow, 5)
    assert told(bulk) == 4
    live = flow.announce(Announced())
    live.index_series()
    live.acquire()
    assert live.told()
    assert held(flow) == 5


def test_live_series_may_take_every_slot(flow: Steps) -> None:
    live = waiting(flow, 7, "live")
    open_(flow, 5)
    assert told(live) == 5


def test_starts_are_promised_for_seconds_only_and_every_start_brings_the_next(flow: Steps) -> None:
    live = waiting(flow, 12, "live")
    paced(flow)
    open_(flow, 12)
    promised = told(live)
    assert 5 <= promised <= 7, "one a second, five seconds ahead"
    flow.rows("UPDATE semaphore SET next_start = next_start - interval '2 seconds'")  # time passes
    live[0].start()
    assert told(live) >= promised + 2


def test_a_start_is_promised_however_slow_the_pace_is(flow: Steps) -> None:
    live = waiting(flow, 3, "live")
    flow.rows("UPDATE semaphore SET start_rate = 0.001, start_burst = 1, next_start = clock_timestamp()")
    open_(flow, 3)
    assert told(live) == 2


def test_a_live_series_overtakes_the_migration_that_waits_for_its_start(flow: Steps) -> None:
    bulk = waiting(flow, 20, "bulk")
    paced(flow)
    open_(flow, 50)
    live = waiting_live(flow)
    before = told(bulk)
    flow.rows("UPDATE semaphore SET next_start = next_start - interval '1 second'")
    bulk[0].start()
    assert live.told(), "the next start is its own"
    assert before <= told(bulk) < 20


def waiting_live(flow: Steps) -> Run:
    live = flow.announce(Announced())
    live.index_series()
    live.acquire()
    return live


def test_series_of_a_study_that_wait_for_a_start_share_it(flow: Steps) -> None:
    """Slots are free: it is the starts that are scarce."""
    first = waiting(flow, 8, "live")
    study = queue_up(flow, transfer(4))
    paced(flow)
    open_(flow, 50)
    for run in first:
        if run.told():
            flow.rows("UPDATE semaphore SET next_start = next_start - interval '1 second'")
            run.start()
    assert told(study) == 1
    assert len(flow.rows("SELECT DISTINCT bundle FROM ahlijob WHERE bundle IS NOT NULL")) == 1


def test_without_a_backlog_no_bundle_is_formed_and_each_live_series_starts_as_it_comes(flow: Steps) -> None:
    open_(flow, 50)
    runs = [flow.announce(announced) for announced in transfer(4)]
    for run in runs:
        run.index_series()
        run.acquire()
        assert run.told()
        assert run.start()["status"] == "SUBMITTED"
        assert run.state["import"]["bundle"] is None
    assert flow.rows("SELECT pk FROM ahlijob WHERE bundle IS NOT NULL") == []
