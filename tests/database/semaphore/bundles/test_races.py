"""Bundles while two act at once: functions that die between two statements, answers that come late."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.steps import SeriesTransferRef
from dicom_ingest.db.semaphore import granting
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.series import imports
from dicom_ingest.db.server.connection import Connection, Database
from tests.database.conftest import DATASTORE
from tests.support.machine.waiting import wait_until
from tests.support.workflow.bundles import (
    bundle,
    capacity,
    end,
    finish,
    open_,
    queue_up,
    redo,
    tickets,
    transfer,
)
from tests.support.workflow.series import Announced
from tests.support.workflow.steps import Run, Steps


def blocked(database: Database) -> bool:
    """Does a session of this database wait for a lock?"""
    waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.transaction() as connection:
        return bool(connection.run(waits))


def meanwhile(
    connect: Callable[[], Database], act: Callable[[Connection], Any]
) -> tuple[threading.Thread, list[Any]]:
    """`act` in a transaction of its own, which has ended or waits for a lock when this returns."""
    own, watch, said = connect(), connect(), list[Any]()

    def work() -> None:
        try:
            with own.transaction() as connection:
                said.append(act(connection))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            said.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: not thread.is_alive() or blocked(watch), "it ends, or waits for a lock")
    return thread, said


def cancel(pk: int) -> Callable[[Connection], list[int]]:
    return lambda connection: queue.cancel(connection, pk, "not wanted")


def ref(run: Run) -> SeriesTransferRef:
    return SeriesTransferRef.model_validate(run.state["series_transfer"])


def throttled_start(flow: Steps, run: Run) -> None:
    """The intention is written down, and no import was started."""
    flow.world.imaging.failures["StartDICOMImportJob"] = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        run.start()
    flow.world.imaging.failures.clear()


def test_a_ticket_cancelled_while_its_import_is_being_started_is_not_cancelled(
    flow: Steps, connect_database: Callable[[], Database]
) -> None:
    """Else the import would run on unseen, and each of its series be imported again beside it."""
    runs = bundle(flow)
    leader, member, _ = tickets(flow, runs)
    with flow.world.database.transaction() as starting:
        imports.attempt(starting, ref(runs[0]), runs[0].arn, leader["pk"])
        imports.intend(starting, leader["pk"], "token", "job", "results/")
        thread, said = meanwhile(connect_database, cancel(member["pk"]))
    thread.join()
    assert said == [[]]
    assert {(t["state"], t["bundle"]) for t in tickets(flow, runs)} == {("STARTING", leader["pk"])}


def test_who_dissolves_a_bundle_does_not_hold_the_semaphore_while_it_waits_for_a_ticket(
    flow: Steps, connect_database: Callable[[], Database]
) -> None:
    flow.rows("UPDATE semaphore SET start_rate = 0.01, start_burst = 1, next_start = clock_timestamp()")
    queue_up(flow, [Announced()])
    runs = queue_up(flow, transfer(3))
    open_(flow, 4)
    leader, member, _ = tickets(flow, runs)
    assert leader["leads"], "its start is promised, and given back where it is dissolved"
    with flow.world.database.transaction() as acquiring:
        acquiring.run("UPDATE ahlijob SET token_retry = 1 WHERE pk = :pk", pk=member["pk"])
        thread, said = meanwhile(connect_database, cancel(leader["pk"]))
        granting.grant(acquiring, DATASTORE)
    thread.join()
    assert said == [[leader["pk"]]]


def test_a_leader_that_was_not_told_before_its_bundle_was_dissolved_is_told_later(flow: Steps) -> None:
    runs = queue_up(flow, transfer(3))
    flow.world.executions.failure = "ThrottlingException"
    open_(flow)
    flow.world.executions.failure = None
    with flow.world.database.transaction() as connection:
        cancel(tickets(flow, runs)[1]["pk"])(connection)
    open_(flow)
    redo(flow, [runs[0], runs[2]])


def test_starts_of_a_dissolved_bundle_are_free_again(flow: Steps) -> None:
    flow.rows("UPDATE semaphore SET start_rate = 0.5, start_burst = 1, next_start = clock_timestamp()")
    first, second = queue_up(flow, transfer(2)), queue_up(flow, transfer(2))
    open_(flow)
    assert (first[0].told(), second[0].told()) == (True, True)
    before = flow.semaphore()["next_start"]
    with flow.world.database.transaction() as connection:
        cancel(tickets(flow, second)[1]["pk"])(connection)
    assert (before - flow.semaphore()["next_start"]).total_seconds() >= 1


def test_a_series_that_goes_alone_asks_with_a_token_of_its_own(flow: Steps) -> None:
    """HealthImaging answers a token as it did for the first order, which was for the bundle."""
    runs = bundle(flow)
    throttled_start(flow, runs[0])
    together = tickets(flow, runs)[0]["client_token"]
    flow.world.imaging.failures["StartDICOMImportJob"] = "ValidationException"
    assert runs[0].start()["status"] == "QUEUE_AGAIN"
    runs[0].acquire()
    throttled_start(flow, runs[0])
    assert tickets(flow, runs)[0]["client_token"] not in (None, together)


def test_an_answer_that_comes_after_another_leads_tells_the_import_of_all(flow: Steps) -> None:
    runs = bundle(flow)
    throttled_start(flow, runs[0])
    flow.stop(runs[0])
    flow.reclaim()
    flow.reclaim()
    assert runs[1].told()
    token = tickets(flow, runs)[0]["client_token"]
    with flow.world.database.transaction() as connection:
        assert imports.running(connection, tickets(flow, runs)[0]["pk"], token, "job", "SUBMITTED") == 3
    assert {(t["state"], t["import_id"]) for t in tickets(flow, runs)} == {("RUNNING", "job")}


def test_an_answer_that_comes_after_the_end_of_the_import_changes_nothing(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    runs[0].record()
    leader = tickets(flow, runs)[0]
    with flow.world.database.transaction() as connection:
        uids = leader["client_token"], leader["import_id"]
        imports.running(connection, leader["pk"], *uids, "SUBMITTED")
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]


def test_a_leader_that_a_replay_took_over_meanwhile_leads_on(flow: Steps) -> None:
    """Reclaim looks for its import when the replay comes."""
    runs = bundle(flow)
    throttled_start(flow, runs[0])
    flow.stop(runs[0])
    flow.reclaim()
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    again = flow.announce(runs[0].announced)
    flow.world.imaging.searched = lambda: again.state or again.index_series()
    flow.reclaim()
    assert again.acquire()
    assert not runs[1].told()
    assert again.start()["status"] == "SUBMITTED"


def test_a_series_that_is_held_is_not_imported_again_while_its_other_transfer_is_forced(flow: Steps) -> None:
    """The counts of the other one are taken back when it is under way; what it brought in is not."""
    series = transfer(3)
    runs = queue_up(flow, series)
    copy = replace(series[1], transfer_id=str(uuid4()), transfer_series=None)
    twin = queue_up(flow, [copy])[0]
    flow.rows("UPDATE ahlijob SET priority = -1 WHERE transfer_id = :id", id=copy.transfer_id)
    open_(flow, 1)
    twin.told()
    twin.start()
    flow.end(twin)
    twin.check()
    twin.record()
    capacity(flow, 3)
    twin.release()
    assert runs[0].told()
    flow.announce(copy, **{"replay-name": "force-a"}).index_series()
    assert runs[0].start()["status"] == "QUEUE_AGAIN"


def test_a_transfer_of_which_another_transaction_holds_a_ticket_waits_for_it(
    flow: Steps, connect_database: Callable[[], Database]
) -> None:
    """Its import would take the files of that series along."""
    runs = queue_up(flow, transfer(3))
    with connect_database().transaction() as working:
        working.run("SELECT FROM ahlijob WHERE pk = :pk FOR UPDATE", pk=tickets(flow, runs)[1]["pk"])
        open_(flow)
        assert not any(run.told() for run in runs)
    open_(flow)
    assert [run.told() for run in runs] == [True, False, False]
