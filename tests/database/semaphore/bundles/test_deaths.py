"""Leaders and members that die, are replayed or woken too early."""

from __future__ import annotations

import pytest

from tests.support.workflow.bundles import (
    bundle,
    end,
    finish,
    held,
    open_,
    outcomes,
    queue_up,
    tickets,
    transfer,
)
from tests.support.workflow.steps import Steps


@pytest.mark.parametrize("begun", ["granted", "intended"])
def test_when_the_leader_is_gone_before_the_start_another_leads(flow: Steps, begun: str) -> None:
    runs = bundle(flow)
    if begun == "intended":
        flow.world.imaging.failures["StartDICOMImportJob"] = "ThrottlingException"
        with pytest.raises(Exception, match="Throttling"):
            runs[0].start()
        flow.world.imaging.failures.clear()
    flow.stop(runs[0])
    flow.reclaim()
    flow.reclaim()
    assert runs[1].told()
    assert runs[1].start()["status"] == "SUBMITTED"
    end(flow, runs)
    runs[1].check()
    runs[1].record()
    runs[1].release()
    assert finish(runs[2])["name"] == "COMPLETED"
    flow.reclaim()
    assert outcomes(runs) == ["COMPLETED"] * 3, "the dead one's series came along"
    assert len(flow.world.imaging.jobs) == 1
    assert flow.rows("SELECT FROM ahlijob WHERE live") == []


def test_a_new_leader_that_is_gone_too_hands_over_at_once(flow: Steps) -> None:
    runs = bundle(flow)
    flow.world.imaging.failures["StartDICOMImportJob"] = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        runs[0].start()
    flow.world.imaging.failures.clear()
    for run in runs[:2]:
        flow.stop(run)
    flow.reclaim()
    flow.reclaim()
    assert runs[2].told()


def test_a_leader_that_cannot_be_told_hands_over_at_once(flow: Steps) -> None:
    runs = queue_up(flow, transfer(3))
    flow.stop(runs[0])
    open_(flow)
    assert [run.told() for run in runs] == [False, True, False]
    assert held(flow) == 1


def test_a_leader_that_dies_after_the_start_is_settled_by_reclaim_which_wakes_the_others(
    flow: Steps,
) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.stop(runs[0])
    flow.reclaim()
    assert not any(run.told() for run in runs[1:]), "the import goes on"
    end(flow, runs)
    flow.reclaim()
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]
    assert outcomes(runs) == ["COMPLETED"] * 3
    assert flow.rows("SELECT FROM ahlijob WHERE live") == []


def test_a_failed_import_whose_leader_is_dead_is_tried_again_series_by_series(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.stop(runs[0])
    end(flow, runs, "FAILED")
    flow.reclaim()
    redo_these = runs[1:]
    assert [t["attempt"] for t in tickets(flow, redo_these)] == [2, 2]
    for run in redo_these:
        assert run.told()
        run.start()
        flow.end(run)
        run.check()
        run.record()
        run.release()
    flow.reclaim()
    flow.reclaim()
    assert outcomes(runs) == ["FAILED", "COMPLETED", "COMPLETED"], "the dead one's is an operator's"
    assert flow.rows("SELECT FROM ahlijob WHERE live") == []


def test_a_leader_whose_start_answer_was_lost_is_found_by_its_name(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.rows("UPDATE ahlijob SET state = 'STARTING', import_id = NULL WHERE bundle IS NOT NULL")
    flow.stop(runs[0])
    flow.reclaim()
    flow.reclaim()
    assert {t["state"] for t in tickets(flow, runs)} == {"RUNNING"}
    end(flow, runs)
    flow.reclaim()
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]
    assert len(flow.world.imaging.jobs) == 1


def test_a_member_that_dies_asleep_is_recorded_by_reclaim(flow: Steps) -> None:
    runs = bundle(flow)
    flow.stop(runs[1])
    runs[0].start()
    flow.reclaim()
    assert flow.world.imaging.calls == ["StartDICOMImportJob"], "its leader looks at the import"
    end(flow, runs)
    runs[0].check()
    runs[0].record()
    runs[0].release()
    finish(runs[2])
    flow.reclaim()
    assert outcomes(runs) == ["COMPLETED"] * 3
    assert flow.rows("SELECT FROM ahlijob WHERE live") == []


def test_when_all_are_gone_before_the_start_each_ends_as_if_alone(flow: Steps) -> None:
    runs = bundle(flow)
    for run in runs:
        flow.stop(run)
    for _ in range(4):
        flow.reclaim()
    assert outcomes(runs) == ["FAILED"] * 3
    assert flow.rows("SELECT FROM ahlijob WHERE live") == []
    assert flow.world.imaging.jobs == {}


def test_a_replay_of_the_leader_takes_it_over_and_leads_on(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.stop(runs[0])
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    again = flow.announce(runs[0].announced)
    again.index_series()
    assert again.acquire() is not None
    assert again.start()["status"] == "SUBMITTED"
    end(flow, runs)
    again.check()
    assert again.record()["name"] == "COMPLETED"
    again.release()
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]
    assert len(flow.world.imaging.jobs) == 1


def test_a_replay_of_a_member_sleeps_as_the_member_did(flow: Steps) -> None:
    runs = bundle(flow)
    flow.stop(runs[1])
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    again = flow.announce(runs[1].announced)
    again.index_series()
    assert again.acquire() is None
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    runs[0].record()
    assert finish(again)["name"] == "COMPLETED"


def test_a_member_that_is_woken_too_early_sleeps_again(flow: Steps) -> None:
    runs = bundle(flow)
    runs[1].state["slot"] = runs[0].state["slot"] | {"ticket_id": tickets(flow, runs)[1]["pk"]}
    assert runs[1].start()["status"] == "QUEUE_AGAIN"
    del runs[1].state["slot"]
    assert runs[1].acquire() is None
