"""A shared import that fails, or that is refused."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.support.workflow.bundles import (
    bundle,
    capacity,
    end,
    finish,
    lines,
    open_,
    outcomes,
    queue_up,
    redo,
    tickets,
    transfer,
)
from tests.support.workflow.steps import Steps


def test_an_import_that_fails_is_tried_once_more_series_by_series(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, "FAILED")
    flow.world.imaging.jobs[tickets(flow, runs)[0]["import_id"]]["message"] = "padded\0"
    assert runs[0].check()["retry"]
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    assert [(t["bundle"], t["attempt"]) for t in tickets(flow, runs)] == [(None, 2)] * 3
    redo(flow, runs)
    assert outcomes(runs) == ["COMPLETED"] * 3


def test_an_import_that_fails_with_its_data_store_costs_no_series_its_attempt(flow: Steps) -> None:
    runs = bundle(flow)
    flow.rows("UPDATE semaphore SET failed_imports = 2")
    runs[0].start()
    end(flow, runs, "FAILED")
    runs[0].check()
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    assert flow.semaphore()["gate"] == "CLOSED"
    assert [t["earlier_imports"][0]["excused"] for t in tickets(flow, runs)] == [True] * 3


@pytest.mark.parametrize("bad", [0, 1])
def test_after_server_errors_only_the_series_that_are_not_whole_are_tried_once_more(
    flow: Steps, bad: int
) -> None:
    """Else one file would cost every series of the transfer a start of its own."""
    runs = bundle(flow)
    runs[0].start()
    lost = runs[bad].announced.sop_instance_uids[0]
    success = [line for line in lines(runs) if lost not in line["inputFile"]]
    end(flow, runs, imported=5, server_errors=1, success=success)
    assert runs[0].check()["retry"]
    state = runs[0].start()
    whole = [run for run in runs if run is not runs[bad]]
    if bad:
        assert (state["status"], state["retry"]) == ("COMPLETED", False)
        assert runs[0].record()["name"] == "COMPLETED"
        runs[0].release()
        whole.remove(runs[0])
    assert [finish(run)["name"] for run in whole] == ["COMPLETED"] * len(whole)
    redo(flow, [runs[bad]])
    assert outcomes(runs) == ["COMPLETED"] * 3
    assert [t["attempt"] for t in tickets(flow, runs)] == [2 if n == bad else 1 for n in range(3)]


def test_server_errors_under_a_dead_leader_cost_only_the_series_that_is_not_whole(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.stop(runs[0])
    lost = runs[0].announced.sop_instance_uids[0]
    success = [line for line in lines(runs) if lost not in line["inputFile"]]
    end(flow, runs, imported=5, server_errors=1, success=success)
    flow.reclaim()
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]
    assert len(flow.world.imaging.jobs) == 1


def test_an_order_that_is_refused_is_tried_series_by_series(flow: Steps) -> None:
    runs = bundle(flow)
    flow.world.imaging.failures["StartDICOMImportJob"] = "ValidationException"
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    flow.world.imaging.failures.clear()
    redo(flow, runs)


def test_a_bundle_of_which_a_series_was_imported_meanwhile_goes_one_by_one(flow: Steps) -> None:
    series = transfer(3)
    runs = queue_up(flow, series)
    copy = replace(series[1], transfer_id=str(uuid4()), transfer_series=None)
    twin = queue_up(flow, [copy])[0]
    flow.rows("UPDATE ahlijob SET priority = -1 WHERE transfer_id = :id", id=copy.transfer_id)
    open_(flow, 1)
    assert twin.told()
    twin.start()
    flow.end(twin)
    twin.check()
    twin.record()
    capacity(flow, 3)
    twin.release()
    assert runs[0].told()
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    runs[0].acquire()
    assert runs[1].told()
    assert runs[1].start()["status"] == "NOT_NEEDED"
    assert outcomes([runs[1]]) == ["DUPLICATE"]
