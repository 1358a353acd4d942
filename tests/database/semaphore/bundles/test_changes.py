"""What operators and deployments change about a bundle."""

from __future__ import annotations

import pytest

from dicom_ingest.db.semaphore import operator as queue
from tests.database.conftest import DATASTORE
from tests.support.workflow.bundles import (
    bundle,
    end,
    finish,
    open_,
    outcomes,
    queue_up,
    redo,
    tickets,
    transfer,
)
from tests.support.workflow.series import Announced
from tests.support.workflow.steps import Steps


def test_a_member_that_fails_before_the_start_dissolves_its_bundle(flow: Steps) -> None:
    runs = bundle(flow)
    runs[1].fail("SomeError")
    runs[1].release()
    redo(flow, [runs[0], runs[2]])


def test_cancelling_a_member_before_the_start_dissolves_the_bundle(flow: Steps) -> None:
    runs = bundle(flow)
    with flow.world.database.transaction() as connection:
        pk = tickets(flow, runs)[1]["pk"]
        assert queue.cancel(connection, pk, "not wanted") == [pk]
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    redo(flow, [runs[0], runs[2]])


def test_an_import_that_runs_is_not_cancelled_for_one_of_its_series(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    with flow.world.database.transaction() as connection:
        assert queue.cancel(connection, tickets(flow, runs)[1]["pk"], "not wanted") == []


def test_raising_a_ticket_raises_its_whole_transfer(flow: Steps) -> None:
    other = queue_up(flow, [Announced()])
    runs = queue_up(flow, transfer(3, priority="bulk"))
    with flow.world.database.transaction() as connection:
        assert queue.set_priority(connection, tickets(flow, runs)[2]["pk"], -1)
    open_(flow, 1)
    assert (runs[0].told(), other[0].told()) == (True, False)
    assert {t["priority"] for t in tickets(flow, runs)} == {-1}


def test_a_forced_import_goes_alone(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    runs[0].record()
    runs[0].release()
    for run in runs[1:]:
        finish(run)
    forced = flow.announce(runs[1].announced, **{"replay-name": "force-a"})
    assert forced.ingest()["name"] == "COMPLETED"
    assert len(flow.world.imaging.jobs) == 2
    assert flow.rows("SELECT bundle FROM ahlijob ORDER BY pk DESC LIMIT 1") == [{"bundle": None}]


def test_a_replaced_data_store_dissolves_a_bundle_that_was_not_started(
    flow: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = bundle(flow)
    flow.rows(
        "INSERT INTO semaphore (datastore_id, capacity, start_rate, start_burst) VALUES (:id, 9, 99, 99)",
        id="e" * 32,
    )
    monkeypatch.setenv("DATASTORE_ID", "e" * 32)
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    assert {(t["datastore_id"], t["bundle"], t["state"]) for t in tickets(flow, runs)} == {
        ("e" * 32, None, "WAITING")
    }
    runs[0].acquire()
    assert all(run.told() for run in runs)


def test_a_member_that_queues_for_a_new_data_store_dissolves_its_bundle(
    flow: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = bundle(flow)
    flow.rows(
        "INSERT INTO semaphore (datastore_id, capacity, start_rate, start_burst) VALUES (:id, 9, 99, 99)",
        id="e" * 32,
    )
    monkeypatch.setenv("DATASTORE_ID", "e" * 32)
    runs[1].acquire()
    assert [(t["datastore_id"], t["state"], t["bundle"]) for t in tickets(flow, runs)] == [
        (DATASTORE, "WAITING", None), ("e" * 32, "GRANTED", None), (DATASTORE, "WAITING", None)
    ]  # fmt: skip


def test_a_transfer_that_is_replayed_for_a_new_data_store_is_a_bundle_there(
    flow: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of it in the old one does not count: else a new data store is filled series by series."""
    series = transfer(3, priority="bulk")
    for run in queue_up(flow, series):
        run.fail("SomeError")
        run.release()
    monkeypatch.setenv("DATASTORE_ID", "e" * 32)
    flow.rows(
        "INSERT INTO semaphore (datastore_id, capacity, start_rate, start_burst, bundles) "
        "VALUES (:id, 9, 99, 99, true)",
        id="e" * 32,
    )
    runs = [flow.announce(announced) for announced in series]
    for run in runs:
        run.index_series()
        run.acquire()
    assert [run.told() for run in runs] == [True, False, False]
    assert runs[0].start()["bundle"] is not None


def test_a_closed_gate_keeps_a_bundle_together(flow: Steps) -> None:
    runs = bundle(flow)
    flow.world.imaging.failures["StartDICOMImportJob"] = "AccessDeniedException"
    with pytest.raises(Exception, match="AccessDenied"):
        runs[0].start()
    flow.world.imaging.failures.clear()
    assert runs[0].start()["status"] == "SUBMITTED"
    assert len({t["bundle"] for t in tickets(flow, runs)}) == 1


def test_a_member_that_could_not_be_woken_is_woken_by_reclaim(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    flow.world.executions.failure = "ThrottlingException"
    assert runs[0].record()["name"] == "COMPLETED", "what cannot be told now is told later"
    flow.world.executions.failure = None
    assert not any(run.told() for run in runs[1:])
    flow.reclaim()
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]


def test_an_outcome_that_a_replay_took_back_before_it_died_is_said_again(flow: Steps) -> None:
    """Of any import, shared or not."""
    run = flow.announce(Announced())
    run.index_series()
    run.acquire()
    run.start()
    flow.end(run)
    run.check()
    run.record()
    flow.stop(run)
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    again = flow.announce(run.announced, **{"replay-name": "force-a"})
    again.index_series()
    assert outcomes([again]) == [None]
    flow.stop(again)
    flow.reclaim()
    assert (again.row()["state"], outcomes([again])) == ("OVER", ["COMPLETED"])
