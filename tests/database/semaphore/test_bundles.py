"""One start for many series: bundles, step by step through the real handlers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.db.server.connection import Database
from tests.database.conftest import DATASTORE
from tests.support.workflow.bundles import (
    bundle,
    capacity,
    end,
    finish,
    held,
    lines,
    open_,
    outcomes,
    queue_up,
    redo,
    tickets,
    transfer,
)
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Steps, steps


@pytest.fixture
def flow(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with steps(World.around(database, DATASTORE), monkeypatch) as wired:
        wired.rows("UPDATE semaphore SET bundles = true")
        yield wired


def test_without_bundles_every_series_goes_alone_and_at_once(flow: Steps) -> None:
    flow.rows("UPDATE semaphore SET bundles = false")
    bulk = queue_up(flow, transfer(3, priority="bulk"))
    open_(flow)
    assert all(run.told() for run in bulk)
    assert held(flow) == 3


def test_a_deploy_switches_bundles_off_and_on(flow: Steps) -> None:
    for wanted in (False, True):
        runs = queue_up(flow, transfer(3))
        deploy(flow, bundles=wanted)
        open_(flow)
        assert [run.told() for run in runs] == ([True] + [False] * 2 if wanted else [True] * 3)
        flow.rows("UPDATE ahlijob SET state = 'CANCELLED', over_at = now() WHERE live")


def test_a_deploy_sets_how_long_a_bulk_ticket_waits_for_its_transfer(flow: Steps) -> None:
    deploy(flow, bundle_patience=3600)
    open_transfer = flow.announce(Announced(priority="bulk"))
    open_transfer.index_series()
    open_transfer.acquire()
    assert not open_transfer.told()
    deploy(flow, bundle_patience=0)
    open_(flow)
    assert open_transfer.told()


def deploy(flow: Steps, **changes: Any) -> None:
    """As migrate_database does with what config.yaml says."""
    semaphore = flow.semaphore()
    names = ("datastore_id", "capacity", "start_rate", "start_burst", "bundles", "bundle_patience")
    settings = SemaphoreSettings.model_validate({name: semaphore[name] for name in names} | changes)
    with flow.world.database.transaction() as connection:
        queueing.configure(connection, settings)


# --- the way it goes ---------------------------------------------------------------------------------------


def test_the_series_of_a_closed_transfer_share_one_slot_one_start_and_one_import(flow: Steps) -> None:
    runs = bundle(flow)
    assert held(flow) == 1
    assert runs[0].start()["status"] == "SUBMITTED"
    (job,) = flow.world.imaging.jobs.values()
    announced = runs[0].announced
    assert job["outputS3Uri"].startswith(
        f"s3://dicom/results/{announced.edge}/{announced.transfer_id}/bundle-"
    )
    assert {(t["state"], t["import_id"]) for t in tickets(flow, runs)} == {("RUNNING", job["jobId"])}
    end(flow, runs)
    assert runs[0].check()["status"] == "COMPLETED"
    assert runs[0].record()["name"] == "COMPLETED"
    runs[0].release()
    asked = flow.world.imaging.calls.count("GetDICOMImportJob")
    said = [finish(run) for run in runs[1:]]
    assert [one["name"] for one in said] == ["COMPLETED", "COMPLETED"]
    assert [one["image_set_ids"] for one in said] == [[r.announced.series_instance_uid] for r in runs[1:]]
    assert flow.world.imaging.calls.count("GetDICOMImportJob") == asked, "members ask HealthImaging nothing"
    assert {t["state"] for t in tickets(flow, runs)} == {"DONE"}
    assert len(flow.world.imaging.jobs) == 1
    balanced = flow.rows("SELECT balanced FROM ledger WHERE transfer_id = :id", id=announced.transfer_id)
    assert balanced == [{"balanced": True}] * 3


def test_a_members_output_says_which_import_it_shared(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    runs[0].record()
    assert runs[1].told()
    shared = runs[1].start()
    (job,) = flow.world.imaging.jobs
    assert (shared["import_id"], shared["bundle"]) == (job, tickets(flow, runs)[0]["pk"])


def test_with_free_slots_a_live_series_is_granted_at_once_and_alone(flow: Steps) -> None:
    for announced in transfer(2):
        run = flow.announce(announced)
        run.index_series()
        assert run.acquire() is not None
    assert flow.rows("SELECT FROM ahlijob WHERE bundle IS NOT NULL") == []


def test_an_open_transfer_is_no_bundle(flow: Steps) -> None:
    runs = queue_up(flow, transfer(3)[:2])
    open_(flow)
    assert [run.told() for run in runs] == [True, True]


def test_a_transfer_whose_last_series_was_heard_of_before_another_is_no_bundle(flow: Steps) -> None:
    runs = queue_up(flow, transfer(3)[1:])
    open_(flow)
    assert [run.told() for run in runs] == [True, True]


def test_a_transfer_that_has_more_series_than_it_said_goes_alone_and_at_once(flow: Steps) -> None:
    series = transfer(2, priority="bulk")
    more = replace(series[0], series_instance_uid=new_uid(), sop_instance_uids=(new_uid(),))
    runs = queue_up(flow, [*series, more])
    open_(flow)
    assert [run.told() for run in runs] == [True, True, True]


def test_a_transfer_of_which_one_series_is_forced_is_no_bundle(flow: Steps) -> None:
    runs = queue_up(flow, transfer(3))
    flow.stop(runs[1])
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    forced = flow.announce(runs[1].announced, **{"replay-name": "force-a"})
    forced.index_series()
    forced.acquire()
    open_(flow)
    assert [run.told() for run in (runs[0], forced, runs[2])] == [True, True, True]


def test_a_transfer_of_which_one_import_has_failed_is_no_bundle(flow: Steps) -> None:
    series = transfer(3)
    first = flow.announce(series[0])
    first.index_series()
    assert first.acquire()
    first.start()
    runs = queue_up(flow, series[1:])
    flow.world.imaging.end(first.state["import"]["import_id"], "FAILED")
    first.check()
    assert first.start()["status"] == "QUEUE_AGAIN"
    first.acquire()
    open_(flow)
    assert [run.told() for run in (first, *runs)] == [True, True, True]


def test_a_transfer_of_which_one_series_has_not_queued_is_no_bundle(flow: Steps) -> None:
    series = transfer(3)
    late = flow.announce(series[0])
    late.index_series()
    runs = queue_up(flow, series[1:])
    open_(flow)
    assert [run.told() for run in runs] == [True, True]
    assert late.acquire() is not None


def test_what_is_too_large_for_one_import_goes_alone(flow: Steps) -> None:
    runs = queue_up(flow, transfer(2))
    flow.rows("UPDATE series_transfer SET total_bytes = 6000000000")
    open_(flow)
    assert [run.told() for run in runs] == [True, True]


@pytest.mark.parametrize(("instances", "size", "together"), [
    (2500, 5_000_000_000, True), (2500, 5_000_000_001, False), (2501, 1, False),
])  # fmt: skip
def test_a_bundle_is_as_large_as_one_import_may_be(
    flow: Steps, instances: int, size: int, together: bool
) -> None:
    runs = queue_up(flow, transfer(2))
    flow.rows(
        "UPDATE series_transfer SET instance_count = :instances, total_bytes = :size",
        instances=instances, size=size,
    )  # fmt: skip
    open_(flow)
    assert [run.told() for run in runs] == [True, not together]


def test_objects_that_no_manifest_names_count_for_the_size_of_a_bundle(flow: Steps) -> None:
    runs = queue_up(flow, transfer(2))
    flow.rows("UPDATE series_transfer SET objects_found = 2501")
    open_(flow)
    assert [run.told() for run in runs] == [True, True]


def test_series_of_two_edges_are_no_bundle_although_their_transfer_has_one_id(flow: Steps) -> None:
    series = transfer(2)
    runs = queue_up(flow, [replace(series[0], edge="dicom-ingest-edge2"), series[1]])
    open_(flow)
    assert [run.told() for run in runs] == [True, True]


def test_a_series_that_is_being_imported_elsewhere_keeps_its_transfer_from_being_a_bundle(
    flow: Steps,
) -> None:
    series = transfer(3)
    other = flow.announce(replace(series[0], transfer_id=str(uuid4()), sop_instance_uids=(new_uid(),)))
    other.index_series()
    other.acquire()
    runs = queue_up(flow, series)
    open_(flow)
    assert [run.told() for run in runs] == [False, True, True], "each by its own rules"


def test_a_bundle_takes_one_slot_whatever_the_capacity(flow: Steps) -> None:
    first, second = (queue_up(flow, transfer(3, priority="bulk")) for _ in range(2))
    open_(flow, 1)
    assert [run.told() for run in (*first, *second)] == [True] + [False] * 5
    open_(flow, 2)
    assert second[0].told()
    assert held(flow) == 2


def test_a_bundle_is_paced_as_one_start(flow: Steps) -> None:
    flow.rows("UPDATE semaphore SET start_rate = 1, start_burst = 1")
    first, second = queue_up(flow, transfer(3)), queue_up(flow, transfer(3))
    open_(flow, 6)
    starts = [{t["start_at"] for t in tickets(flow, runs)} for runs in (first, second)]
    assert [len(each) for each in starts] == [1, 1]
    assert abs((starts[1].pop() - starts[0].pop()).total_seconds()) <= 2


def test_a_live_series_goes_before_a_bundle_of_bulk(flow: Steps) -> None:
    bulk = queue_up(flow, transfer(3, priority="bulk"))
    live = queue_up(flow, [Announced()])
    open_(flow, 1)
    assert (live[0].told(), bulk[0].told()) == (True, False)


# --- patience ----------------------------------------------------------------------------------------------


def test_a_bulk_ticket_waits_for_its_transfer_to_close(flow: Steps) -> None:
    series = transfer(3, priority="bulk")
    runs = [flow.announce(announced) for announced in series]
    for run in runs[:2]:
        run.index_series()
        assert run.acquire() is None, "although slots are free"
    runs[2].index_series()
    runs[2].acquire()
    assert [run.told() for run in runs] == [True, False, False]
    assert held(flow) == 1


@pytest.mark.parametrize("number", [0, 1])
def test_a_bulk_ticket_waits_no_longer_than_its_patience(flow: Steps, number: int) -> None:
    """Whether its transfer was closed or not: the other series never comes."""
    run = flow.announce(transfer(2, priority="bulk")[number])
    run.index_series()
    assert run.acquire() is None
    flow.rows("UPDATE ahlijob SET created_at = created_at - interval '11 minutes'")
    flow.reclaim()
    assert run.told()


def test_a_bulk_ticket_whose_transfer_can_be_no_bundle_any_more_goes_at_once(flow: Steps) -> None:
    first, second = (flow.announce(announced) for announced in transfer(2, priority="bulk"))
    second.index_series()
    assert second.acquire() is None
    first.index_series()
    first.fail("SomeError")
    first.release()
    assert second.told()


# --- results -----------------------------------------------------------------------------------------------


def test_each_series_is_judged_by_its_own_lines(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    good, bad = lines([runs[0], runs[2]]), runs[1].announced
    failure = [
        {
            "inputFile": bad.prefix.instance(sop),
            "exception": {"exceptionType": "ValidationException", "message": "invalid value '1.2\0'"},
        }
        for sop in bad.sop_instance_uids
    ]
    end(flow, runs, imported=4, success=good, failure=failure)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    assert [finish(run)["name"] for run in runs[1:]] == ["FAILED", "COMPLETED"]


def test_a_line_that_is_lacking_makes_its_series_partial_and_no_other(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    success = [
        line for line in lines(runs) if runs[1].announced.sop_instance_uids[0] not in line["inputFile"]
    ]
    end(flow, runs, imported=5, success=success)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    assert [finish(run)["name"] for run in runs[1:]] == ["PARTIAL", "COMPLETED"]


def test_results_that_are_recorded_twice_are_judged_by_all_that_shared_them(flow: Steps) -> None:
    """Step Functions may ask once more after the others were woken, and have ended."""
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    first = runs[0].record()
    assert runs[0].record() == first
    assert flow.world.executions.asked == [], "those who were told are not told again"
    for run in runs[1:]:
        finish(run)
    assert runs[0].record() == first
    assert first["detail"] is None


def test_series_whose_uids_begin_alike_get_their_own_lines(flow: Steps) -> None:
    transfer_id, uids = str(uuid4()), ("1.2.3", "1.2.3.4", "1.2.34")
    series = [
        Announced(transfer_id=transfer_id, study_instance_uid="1.2", series_instance_uid=uid) for uid in uids
    ]
    runs = queue_up(flow, [*series[:-1], replace(series[-1], transfer_series=3)])
    open_(flow)
    assert runs[0].told()
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    said = [runs[0].record(), *(finish(run) for run in runs[1:])]
    assert [(one["name"], one["scanned"]) for one in said] == [("COMPLETED", 2)] * 3


def test_counts_that_no_series_explains_are_reported(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, imported=9)
    runs[0].check()
    said = runs[0].record()
    assert "scanned 9 and imported 9; by the lines of its series these are 6 and 6" in said["detail"]


def test_everything_is_in_although_lines_are_absent(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, imported=6, success=[])
    job = flow.world.imaging.jobs[tickets(flow, runs)[0]["import_id"]]
    flow.world.s3.put_results(job, imported=6)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]


def test_a_vanished_import_leaves_every_series_unknown(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.world.imaging.jobs.clear()
    assert runs[0].check()["status"] == "GONE"
    assert runs[0].record()["name"] == "UNKNOWN"
    runs[0].release()
    assert [finish(run)["name"] for run in runs[1:]] == ["UNKNOWN", "UNKNOWN"]


def test_members_sleep_while_the_results_are_late(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.world.imaging.end(tickets(flow, runs)[0]["import_id"])
    runs[0].check()
    with pytest.raises(Exception, match="no manifest"):
        runs[0].record()
    assert not any(run.told() for run in runs[1:])
    end(flow, runs)
    runs[0].record()
    assert all(run.told() for run in runs[1:])


# --- what goes wrong ---------------------------------------------------------------------------------------


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
