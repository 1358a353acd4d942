"""What executions leave behind, and what reclaim_import_slots makes of it: certain, or left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.semaphore import granting, leftovers, releasing
from dicom_ingest.db.series import ending, imports
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import DataStoreGateClosedError, ResultsNotYetWrittenError
from dicom_ingest.upkeep.reclaim import LEFT, Settled
from dicom_ingest.workflow.delivery import deliver
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.workers import claim, new_execution

FREED = Settled("freed", Outcome.FAILED)
LONG = 3600.0


@pytest.fixture
def world(database: Database) -> World:
    return World.around(database, DATASTORE)


def test_what_runs_is_left_alone(world: World) -> None:
    execution = world.begin()
    job = world.start(execution)
    world.end(job)
    assert world.reclaim() == [LEFT]
    assert world.ticket(execution)["state"] == "RUNNING"


def test_a_token_that_was_never_delivered_is_delivered_again(world: World) -> None:
    execution = world.begin()
    execution.acquire()
    with world.database.transaction() as connection:
        waiting = leftovers.undelivered(connection, quiet_seconds=0)
        assert leftovers.undelivered(connection) == [], "30 s are given to whoever granted it"
    delivered = deliver(world.database, cast("Any", world.executions), DATASTORE, waiting)
    assert [ticket.owner_execution for ticket in delivered] == [execution.arn]
    assert world.executions.answers[execution.token]["ticket_id"] == world.ticket(execution)["pk"]


def test_an_execution_that_vanished_before_it_queued_fails_its_series(world: World) -> None:
    execution = world.begin()
    world.stop(execution)
    assert world.reclaim() == [FREED]
    transfer = world.transfer(execution)
    assert (transfer["state"], transfer["outcome"]) == ("OVER", "FAILED")
    assert "replay its event" in transfer["outcome_detail"]


def test_a_slot_without_an_import_is_freed_after_the_grace(world: World) -> None:
    execution = world.begin()
    execution.acquire()
    world.stop(execution)
    assert world.reclaim(grace_seconds=LONG) == [LEFT], "its last Lambda may still be about to start one"
    assert world.ticket(execution)["orphaned_at"] is not None
    assert world.reclaim() == [FREED]
    assert world.ticket(execution)["state"] == "CANCELLED"


def test_an_intention_without_an_import_is_freed_after_a_search(world: World) -> None:
    execution = world.begin()
    world.intend(execution)
    world.stop(execution)
    assert world.reclaim() == [FREED]
    assert "ListDICOMImportJobs" in world.imaging.calls


def test_an_import_that_its_start_could_not_note_is_found_and_waited_for(world: World) -> None:
    execution = world.begin()
    job = world.imaging.start_dicom_import_job(**world.intend(execution))["jobId"]
    world.stop(execution)
    assert world.reclaim() == [LEFT]
    ticket = world.ticket(execution)
    assert (ticket["state"], ticket["import_id"]) == ("RUNNING", job)
    world.end(job)
    assert world.reclaim() == [Settled("recorded", Outcome.COMPLETED)]


def test_an_import_that_is_over_before_it_is_searched_for_is_found_by_its_results(world: World) -> None:
    execution = world.begin()
    job = world.imaging.start_dicom_import_job(**world.intend(execution))["jobId"]
    world.end(job)
    world.stop(execution)
    assert world.reclaim() == [Settled("recorded", Outcome.COMPLETED)]
    assert world.ticket(execution)["import_id"] == job


def test_a_slot_whose_import_goes_on_stays_held(world: World) -> None:
    execution = world.begin()
    world.start(execution)
    world.stop(execution)
    assert world.reclaim() == [LEFT]
    assert world.ticket(execution)["state"] == "RUNNING"


def test_an_import_that_ended_while_nobody_watched_is_recorded(world: World) -> None:
    execution = world.begin()
    job = world.start(execution)
    world.end(job)
    world.stop(execution)
    # Its job decides, so no grace is needed.
    assert world.reclaim(grace_seconds=LONG) == [Settled("recorded", Outcome.COMPLETED)]
    transfer, ticket = world.transfer(execution), world.ticket(execution)
    assert (transfer["state"], transfer["outcome"], transfer["imported"]) == ("OVER", "COMPLETED", 2)
    assert (ticket["state"], ticket["status"]) == ("DONE", 3)


def test_a_recorded_failure_is_corrected_by_what_the_import_says(world: World) -> None:
    execution = world.begin()
    job = world.start(execution)
    with world.database.transaction() as connection:
        ending.finish(connection, execution.ref, execution.arn, Outcome.FAILED, detail="lost sight")
        assert releasing.release(connection, execution.ref, execution.arn).orphaned
    world.stop(execution)
    world.end(job)
    world.reclaim()
    assert world.transfer(execution)["outcome"] == "COMPLETED"


def test_an_import_that_vanished_ends_unknown(world: World) -> None:
    execution = world.begin()
    job = world.start(execution)
    del world.imaging.jobs[job]
    world.stop(execution)
    assert world.reclaim() == [Settled("recorded", Outcome.UNKNOWN)]
    assert world.ticket(execution)["state"] == "DONE"


def test_results_that_are_late_are_waited_for_and_results_that_never_come_end_unknown(world: World) -> None:
    execution = world.begin()
    job = world.start(execution)
    world.stop(execution)
    world.imaging.end(job)
    with pytest.raises(ResultsNotYetWrittenError):
        world.reclaim()
    assert world.ticket(execution)["state"] == "RUNNING"
    world.imaging.end(job, ago=timedelta(minutes=20))
    assert world.reclaim() == [Settled("recorded", Outcome.UNKNOWN)]
    assert "never written" in world.transfer(execution)["outcome_detail"]
    assert world.ticket(execution)["state"] == "DONE"


def test_what_was_recorded_but_not_released_is_released_and_not_recorded_again(world: World) -> None:
    execution = world.begin()
    job = world.start(execution)
    world.end(job)
    world.record(execution, job)
    world.stop(execution)
    before = world.transfer(execution)["outcome"]
    calls = len(world.imaging.calls)
    assert world.reclaim() == [Settled("released")]
    assert world.transfer(execution)["outcome"] == before
    assert len(world.imaging.calls) == calls
    assert world.ticket(execution)["state"] == "DONE"


def test_nothing_needed_and_not_released_is_released(world: World) -> None:
    execution = world.begin()
    ticket, _ = execution.acquire()
    with world.database.transaction() as connection:
        ending.finish(connection, execution.ref, execution.arn, Outcome.DUPLICATE)
        imports.import_over(connection, ticket.pk, "NOT_NEEDED", Outcome.DUPLICATE, None)
    world.stop(execution)
    assert world.reclaim() == [Settled("released")]
    assert (world.ticket(execution)["state"], world.transfer(execution)["outcome"]) == ("DONE", "DUPLICATE")


def test_a_redriven_execution_takes_its_mark_away(world: World) -> None:
    execution = world.begin()
    world.start(execution)
    world.stop(execution)
    world.reclaim()
    assert world.ticket(execution)["orphaned_at"] is not None
    world.executions.running.add(execution.arn)
    assert world.reclaim() == [LEFT]
    assert world.ticket(execution)["orphaned_at"] is None


def test_a_ticket_that_timed_out_keeps_its_place_for_a_redrive(world: World) -> None:
    with world.database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 0")
    first, second = world.begin(), world.begin()
    place, _ = first.acquire()
    second.acquire()
    world.stop(first)
    assert world.reclaim() == [], "waiting tickets are not asked about"
    world.executions.running.add(first.arn)
    first.token = world.executions.issue(first.arn)
    again, _ = first.acquire()
    assert again.pk == place.pk


def test_a_waiting_ticket_with_a_dead_owner_costs_nobody_a_slot(world: World) -> None:
    with world.database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 0")
    dead, waiting = world.begin(), world.begin()
    dead.acquire()
    waiting.acquire()
    world.stop(dead)
    with world.database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 1")
        granted = granting.grant(connection, DATASTORE)
    delivered = deliver(world.database, cast("Any", world.executions), DATASTORE, granted)
    assert [ticket.owner_execution for ticket in delivered] == [waiting.arn]
    assert FREED in world.reclaim()
    assert world.transfer(dead)["state"] == "OVER"


def test_who_took_over_meanwhile_is_not_disturbed(world: World) -> None:
    execution = world.begin()
    execution.acquire()
    world.stop(execution)
    with world.database.transaction() as connection:
        found = leftovers.find(connection, DATASTORE, quiet_seconds=0)
    heir = new_execution()
    with world.database.transaction() as connection:
        assert claim(connection, execution.announced, heir, owner_gone=execution.arn)
        assert not leftovers.mark(connection, found[0], 0)
        assert leftovers.take_over(connection, found[0], "reclaim_import_slots/x") is None
    assert world.ticket(execution)["owner_execution"] == heir


def test_a_data_store_that_cannot_be_asked_frees_nothing(world: World) -> None:
    execution = world.begin()
    world.start(execution)
    world.stop(execution)
    world.imaging.failures["GetDICOMImportJob"] = "AccessDeniedException"
    with pytest.raises(DataStoreGateClosedError):
        world.reclaim()
    assert world.ticket(execution)["state"] == "RUNNING"


def test_a_data_store_that_is_gone_holds_no_import_so_the_slot_is_freed(world: World) -> None:
    execution = world.begin()
    world.intend(execution)
    world.stop(execution)
    world.imaging.failures["ListDICOMImportJobs"] = "ResourceNotFoundException"
    assert world.reclaim() == [FREED]


def test_all_leftovers_are_found_page_by_page(world: World) -> None:
    for _ in range(3):
        world.begin()
    with world.database.transaction() as connection:
        first = leftovers.find(connection, DATASTORE, quiet_seconds=0, page=2)
        rest = leftovers.find(connection, DATASTORE, 0, after=first[-1].series_transfer_pk, page=2)
    assert [len(first), len(rest)] == [2, 1]
