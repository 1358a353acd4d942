"""Which series share a start: bundles, step by step through the real handlers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from tests.support.workflow.bundles import (
    bundle,
    end,
    finish,
    held,
    open_,
    queue_up,
    tickets,
    transfer,
)
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Steps


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
