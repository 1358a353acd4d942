"""The intention before the call: what a crash, an old token or an old owner may and may not do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import ImportState, SemaphoreSettings
from dicom_ingest.db.semaphore import granting, queueing, releasing
from dicom_ingest.db.series import ending, imports, registering
from dicom_ingest.db.series.held import held as held_now
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import ClaimLostError
from dicom_ingest.healthimaging.imports import ImportOrder, find_started
from dicom_ingest.healthimaging.results import ImportResults, InstanceResult
from dicom_ingest.operators.read.state.slots import semaphores
from tests.database.conftest import DATASTORE
from tests.database.index.test_outcomes import imported, record, results
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import BUCKET, Announced
from tests.support.workflow.workers import Execution, claim, new_execution

NEW = "e" * 32
ELEVEN_MINUTES = "UPDATE ahlijob SET starting_at = starting_at - interval '11 minutes'"


@pytest.fixture
def world(database: Database) -> World:
    return World.around(database, DATASTORE)


def mine(world: World, execution: Execution) -> imports.Attempt:
    with world.database.transaction() as connection:
        return imports.attempt(connection, execution.ref, execution.arn, world.ticket(execution)["pk"])


def run(world: World, sql: str) -> None:
    with world.database.transaction() as connection:
        connection.run(sql)


def test_the_first_use_of_a_token_is_what_makes_it_old(world: World) -> None:
    """A start that is retried for hours must search before it sends a token that may be forgotten."""
    execution = world.begin()
    order = world.intend(execution)
    run(world, ELEVEN_MINUTES)
    with world.database.transaction() as connection:
        imports.intend(
            connection, mine(world, execution).pk, order["clientToken"], order["jobName"], "results/"
        )
    assert not mine(world, execution).intended_lately


FAILED = ImportState(status="FAILED", message="disk")


def test_a_new_attempt_waits_in_its_old_place_and_has_a_young_token_of_its_own(world: World) -> None:
    execution, later = world.begin(), world.begin()
    world.start(execution)
    run(world, ELEVEN_MINUTES)
    run(world, "UPDATE semaphore SET capacity = 1")
    later.acquire()
    with world.database.transaction() as connection:
        assert imports.next_attempt(connection, mine(world, execution), FAILED, DATASTORE)
        (granted,) = granting.grant(connection, DATASTORE)
        assert (granted.pk, granted.attempt) == (world.ticket(execution)["pk"], 2)
        imports.intend(connection, granted.pk, "another token", "stack-1-2", "results/2/")
    ticket = mine(world, execution)
    assert (ticket.intended_lately, ticket.retried, ticket.import_id) == (True, True, None)


def test_the_late_answer_of_an_earlier_attempt_changes_nothing(world: World) -> None:
    """C4: a Lambda whose execution was stopped may still get its answer, and note it too late."""
    execution = world.begin()
    order = world.intend(execution)
    with world.database.transaction() as connection:
        pk = mine(world, execution).pk
        imports.running(connection, pk, order["clientToken"], "first", "SUBMITTED")
    with world.database.transaction() as connection:
        imports.next_attempt(connection, mine(world, execution), FAILED, DATASTORE)
        granting.grant(connection, DATASTORE)
        imports.intend(connection, pk, "second token", "stack-1-2", "results/2/")
        imports.running(connection, pk, order["clientToken"], "first", "SUBMITTED")
    ticket = mine(world, execution)
    assert (ticket.state.value, ticket.import_id) == ("STARTING", None)


def test_who_lost_the_claim_starts_and_records_nothing(world: World) -> None:
    execution = world.begin()
    world.start(execution)
    with world.database.transaction() as connection:
        assert claim(connection, execution.announced, new_execution(), owner_gone=execution.arn)
    with pytest.raises(ClaimLostError):
        mine(world, execution)
    with world.database.transaction() as connection, pytest.raises(ClaimLostError):
        ending.finish(connection, execution.ref, execution.arn, Outcome.COMPLETED)


@pytest.mark.parametrize("status", ["SUBMITTED", "COMPLETED"])
def test_a_started_import_is_found_by_its_name_or_by_its_results(world: World, status: str) -> None:
    execution = world.begin()
    sent = world.intend(execution)
    job = world.imaging.start_dicom_import_job(**sent)["jobId"]
    if status == "COMPLETED":
        world.end(job)
    order = ImportOrder(
        datastore_id=DATASTORE,
        role_arn="",
        bucket=BUCKET,
        prefix=str(execution.announced.prefix),
        results_prefix=execution.announced.prefix.results(1),
        client_token=sent["clientToken"],
        job_name=sent["jobName"],
    )
    found = find_started(cast("Any", world.imaging), cast("Any", world.s3), order)
    assert found == job
    other = replace(order, job_name="another", results_prefix="results/another/")
    assert find_started(cast("Any", world.imaging), cast("Any", world.s3), other) is None
    world.end(job)
    elsewhere = replace(order, datastore_id=NEW)
    assert find_started(cast("Any", world.imaging), cast("Any", world.s3), elsewhere) is None


def replace_data_store(world: World) -> None:
    with world.database.transaction() as connection:
        queueing.configure(
            connection, SemaphoreSettings(datastore_id=NEW, capacity=3, start_rate=1000, start_burst=1000)
        )


def test_a_granted_ticket_waits_for_a_slot_of_the_new_data_store_in_its_old_place(world: World) -> None:
    execution = world.begin()
    execution.acquire()
    replace_data_store(world)
    later = Execution(world.database, NEW)
    run(world, f"UPDATE semaphore SET capacity = 1 WHERE datastore_id = '{NEW}'")
    with world.database.transaction() as connection:
        imports.move(connection, mine(world, execution), NEW)
    later.acquire()
    assert mine(world, execution).datastore_id == NEW
    with world.database.transaction() as connection:
        assert {row["datastore_id"]: row["held"] for row in semaphores(connection)} == {DATASTORE: 0, NEW: 1}
    assert world.ticket(execution)["state"] == "GRANTED", "the older ticket goes first"


def test_an_import_that_runs_stays_where_it_was_started(world: World) -> None:
    execution = world.begin()
    world.start(execution)
    replace_data_store(world)
    with world.database.transaction() as connection:
        imports.move(connection, mine(world, execution), NEW)
    ticket = mine(world, execution)
    assert (ticket.datastore_id, ticket.state.value) == (DATASTORE, "RUNNING")


def held(world: World, series: Announced, datastore_id: str = DATASTORE) -> Outcome | None:
    execution = world.begin(series)
    with world.database.transaction() as connection:
        pk = registering.find(connection, series.transfer_id, series.series_instance_uid)
        found = held_now(connection, pk, datastore_id).outcome
        ending.over(connection, execution.ref, execution.arn)
    return found


def again(series: Announced, **changes: Any) -> Announced:
    return replace(series, transfer_id=str(uuid4()), **changes)


def test_the_same_bytes_again_are_a_duplicate_in_this_data_store_only(world: World) -> None:
    """C8: a re-sent series made duplicate image sets."""
    series = Announced()
    record(world, series, results(imported(series)), release=True)
    assert held(world, again(series, sequence=2)) is Outcome.DUPLICATE
    assert held(world, again(series, sequence=3), datastore_id="e" * 32) is None


def test_what_failed_is_not_held(world: World) -> None:
    series = Announced()
    lines = imported(series)
    lines[1] = InstanceResult(lines[1].sop_instance_uid, lines[1].verdict.FAILED, message="no")
    record(world, series, results(lines), release=True)
    assert held(world, again(series, sequence=2)) is None


def test_an_older_version_is_superseded_and_a_newer_one_is_not(world: World) -> None:
    """C21: the service lets the last import win."""
    newest = Announced(sequence=5, content="newest")
    record(world, newest, results(imported(newest)), release=True)
    assert held(world, again(newest, sequence=4, content="older")) is Outcome.SUPERSEDED
    assert held(world, again(newest, sequence=6, content="corrected")) is None


def test_nothing_imported_holds_nothing(world: World) -> None:
    series = Announced()
    record(world, series, ImportResults(), release=True)
    assert held(world, again(series, sequence=2)) is None


def test_a_new_attempt_after_a_recorded_failure_holds_its_slot_to_the_end(world: World) -> None:
    """A replay takes over what was recorded but not released, and starts once more."""
    execution = world.begin()
    world.record(execution, world.start(execution))
    assert world.ticket(execution)["import_over_at"] is not None
    with world.database.transaction() as connection:
        ticket = mine(world, execution)
        imports.next_attempt(connection, ticket, FAILED, DATASTORE)
        granting.grant(connection, DATASTORE)
        imports.intend(connection, ticket.pk, "second token", "stack-1-2", "results/2/")
        imports.running(connection, ticket.pk, "second token", "job2", "SUBMITTED")
        released = releasing.release(connection, execution.ref, execution.arn)
    assert released.orphaned, "its second import goes on"
    assert world.ticket(execution)["state"] == "RUNNING"


def test_what_was_imported_last_is_what_the_data_store_holds(world: World) -> None:
    """HealthImaging lets the last import win, whichever version was received last."""
    newer = Announced(sequence=5, content="newer")
    record(world, newer, results(imported(newer)), release=True)
    older = again(newer, sequence=4, content="older")
    record(world, older, results(imported(older)), release=True)
    assert held(world, again(newer, sequence=6, content="older")) is Outcome.DUPLICATE
    assert held(world, again(newer, sequence=7, content="newer")) is None


def test_an_old_owner_ends_nothing(world: World) -> None:
    execution = world.begin()
    old = execution.ref.model_copy(update={"fence": execution.ref.fence - 1})
    with world.database.transaction() as connection:
        assert not ending.over(connection, old, execution.arn)
        assert not ending.fail_where_unsaid(connection, old, execution.arn, "words")
        with pytest.raises(ClaimLostError):
            ending.finish(connection, old, execution.arn, Outcome.FAILED)
    assert world.transfer(execution)["state"] == "INDEXED"
    assert world.transfer(execution)["outcome"] is None
