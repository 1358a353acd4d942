"""A migration is not felt: slots are kept for live series, and starts are promised for seconds only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_ingest.contracts.messages.events import Priority
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.db.semaphore.granting import SHARE_AFTER_SECONDS
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.series.search import where
from dicom_ingest.operators.read.series.timeline import timeline
from dicom_ingest.operators.read.state.slots import semaphores
from tests.database.conftest import DATASTORE
from tests.support.workflow.bundles import held, open_, queue_up, transfer, wait
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


@pytest.mark.parametrize(
    ("capacity", "needed", "kept"),
    [(0, 9, 0), (1, 9, 0), (2, 9, 1), (4, 9, 3), (100, 7, 20), (100, 60, 60), (100, 99, 80)],
)
def test_as_many_are_kept_as_live_series_need_and_a_migration_keeps_a_fifth(
    capacity: int, needed: int, kept: int
) -> None:
    assert kept_for_live(capacity, needed) == kept


def over(flow: Steps) -> None:
    """All imports have ended."""
    flow.rows("UPDATE ahlijob SET state = 'DONE', over_at = now() WHERE holds_slot")


def test_a_migration_leaves_as_many_slots_as_live_series_have_needed_before(flow: Steps) -> None:
    before = waiting(flow, 7, "live")
    open_(flow, 10)
    assert told(before) == 7
    over(flow)
    bulk = waiting(flow, 10, "bulk")
    open_(flow, 10)
    assert told(bulk) == 3
    live = [waiting_live(flow) for _ in range(7)]
    assert told(live) == 7


def test_operators_see_how_many_slots_are_kept_for_live_series(flow: Steps) -> None:
    before = waiting(flow, 7, "live")
    open_(flow, 10)
    over(flow)
    *_, last = waiting(flow, 10, "bulk")
    open_(flow, 10)
    with flow.world.database.transaction() as connection:
        (semaphore,) = semaphores(connection)
    of_bulk = waits_for(flow, last)
    flow.rows("UPDATE ahlijob SET priority = 0 WHERE state = 'WAITING'")
    of_live = waits_for(flow, last)
    assert (semaphore["kept_for_live"], semaphore["held"], len(before)) == (7, 3, 7)
    assert of_bulk == "a slot: 6 tickets ahead, 3 of 10 slots in use, 7 kept for live series"
    assert of_live == "a slot: 6 tickets ahead, 3 of 10 slots in use"


def waits_for(flow: Steps, run: Run) -> str:
    with flow.world.database.transaction() as connection:
        (row,) = where(connection, run.announced.transfer_id)
        found = timeline(connection, row["pk"])
    assert found is not None
    assert found.waits_for is not None
    return found.waits_for.words


def test_live_series_that_wait_for_a_slot_count_as_need(flow: Steps) -> None:
    waiting(flow, 6, "live")
    open_(flow, 4)
    over(flow)
    open_(flow, 4)
    over(flow)
    bulk = waiting(flow, 10, "bulk")
    open_(flow, 10)
    assert told(bulk) == 4, "of ten slots, six are left free"


def test_live_series_that_wait_for_a_start_need_no_slot(flow: Steps) -> None:
    live = waiting(flow, 20, "live")
    paced(flow)
    open_(flow, 50)
    promised = told(live)
    (row,) = flow.rows("SELECT live_needs FROM semaphore")
    assert max(row["live_needs"]) == promised < 20


def test_a_migration_goes_on_however_much_live_series_need(flow: Steps) -> None:
    waiting(flow, 30, "live")
    open_(flow, 10)
    flow.rows("UPDATE ahlijob SET state = 'DONE', over_at = now() WHERE live")
    bulk = waiting(flow, 10, "bulk")
    open_(flow, 10)
    assert told(bulk) == 2


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


def test_a_migration_is_promised_no_start_that_a_live_series_could_have_seconds_from_now(flow: Steps) -> None:
    bulk = waiting(flow, 12, "bulk")
    paced(flow)
    open_(flow, 50)
    assert told(bulk) in (2, 3), "one now, one in a second; the clock goes on meanwhile"


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


def study_opened(flow: Steps, study: list[Run], slots: int, waited: float) -> int:
    """How many of its series are told to start, after it has waited for so many seconds."""
    flow.rows("UPDATE ahlijob SET created_at = clock_timestamp() WHERE state = 'WAITING'")
    wait(flow, waited)
    open_(flow, slots)
    return told(study)


def test_the_series_of_a_live_study_go_alone_unless_starts_have_been_lacking_for_long(flow: Steps) -> None:
    """The files of one import are taken one after the other: eight series would take eight times as long."""
    assert study_opened(flow, queue_up(flow, transfer(4)), slots=50, waited=SHARE_AFTER_SECONDS / 2) == 4
    assert study_opened(flow, queue_up(flow, transfer(4)), slots=50, waited=SHARE_AFTER_SECONDS) == 1


def test_the_series_of_a_live_study_go_alone_where_slots_are_what_is_lacking(flow: Steps) -> None:
    assert study_opened(flow, queue_up(flow, transfer(4)), slots=3, waited=600) == 3


def test_a_migrations_transfer_that_is_raised_still_shares_its_import(flow: Steps) -> None:
    """It may have hundreds of series."""
    raised = queue_up(flow, transfer(4, priority="bulk"))
    flow.rows("UPDATE ahlijob SET priority = 0, expects_bundle = false WHERE state = 'WAITING'")
    assert study_opened(flow, raised, slots=1, waited=0) == 1
    assert len(flow.rows("SELECT FROM ahlijob WHERE holds_slot")) == 4


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
