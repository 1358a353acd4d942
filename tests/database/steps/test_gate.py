"""Imports that fail one after another shut the gate, and what opens it again."""

from __future__ import annotations

from dicom_ingest.db.semaphore import gate
from tests.database.conftest import DATASTORE
from tests.database.steps.conftest import capacity, fails, started
from tests.support.workflow.steps import Steps


def test_imports_that_fail_one_after_another_close_the_gate_and_burn_nobody(flow: Steps) -> None:
    runs = started(flow, gate.FAILED_IMPORTS)
    waiting = flow.announce()
    waiting.index_series()
    waiting.acquire()
    assert [fails(flow, run)["status"] for run in runs] == ["QUEUE_AGAIN"] * len(runs)
    assert flow.semaphore()["gate"] == "CLOSED"
    assert "3 imports in a row failed as a whole" in flow.semaphore()["gate_reason"]
    states = {ticket["state"] for run in runs for ticket in run.tickets()}
    assert "WAITING" in states
    assert waiting.tickets()[0]["state"] == "WAITING"
    assert flow.rows("SELECT * FROM series_transfer WHERE outcome IS NOT NULL") == []


def test_a_probe_opens_the_gate_one_more_failure_closes_it_and_an_import_that_brings_something_ends_it(
    flow: Steps,
) -> None:
    runs = started(flow, gate.FAILED_IMPORTS)
    for run in runs:
        fails(flow, run)
    flow.reclaim()
    assert flow.semaphore()["gate"] == "OPEN"
    one, *rest = [run for run in runs if run.acquire()]
    one.start()
    fails(flow, one)
    assert flow.semaphore()["gate"] == "CLOSED"
    assert one.row()["outcome"] is None
    flow.reclaim()
    two = rest[0]
    assert two.start()["status"] == "SUBMITTED"
    assert flow.semaphore()["failed_imports"] == gate.FAILED_IMPORTS - 1, "a start alone proves nothing"
    flow.end(two)
    two.check()
    assert two.record()["name"] == "COMPLETED"
    assert (flow.semaphore()["gate"], flow.semaphore()["failed_imports"]) == ("OPEN", 0)


def test_a_start_does_not_open_a_gate_that_failed_imports_have_closed(flow: Steps) -> None:
    runs = started(flow, gate.FAILED_IMPORTS)
    late = flow.announce()
    late.index_series()
    capacity(flow, 10)
    late.acquire()
    for run in runs:
        fails(flow, run)
    late.start()
    assert flow.semaphore()["gate"] == "CLOSED"


def test_a_series_that_fails_among_others_that_are_imported_gets_one_new_attempt(flow: Steps) -> None:
    (run,) = started(flow, 1)
    assert fails(flow, run)["status"] == "QUEUE_AGAIN"
    run.acquire()
    flow.announce().ingest()
    run.start()
    said = fails(flow, run)
    assert (said["status"], said["retry"]) == ("FAILED", False)
    assert run.record()["name"] == "FAILED"
    assert flow.semaphore()["gate"] == "OPEN"


def test_a_start_that_is_taken_opens_the_gate_and_grants_at_once(flow: Steps) -> None:
    one, two = flow.announce(), flow.announce()
    for run in (one, two):
        run.index_series()
    one.acquire()
    with flow.world.database.transaction() as connection:
        gate.close(connection, DATASTORE, "AccessDeniedException")
    assert two.acquire() is None
    one.start()
    assert flow.semaphore()["gate"] == "OPEN"
    assert two.tickets()[0]["state"] == "GRANTED"


def test_a_closed_gate_without_a_holder_is_opened_by_the_probe(flow: Steps) -> None:
    with flow.world.database.transaction() as connection:
        gate.close(connection, DATASTORE, "AccessDeniedException")
    run = flow.announce()
    run.index_series()
    assert run.acquire() is None
    assert flow.reclaim()["granted"] == 1
    assert flow.semaphore()["gate"] == "OPEN"


def test_a_data_store_that_does_not_answer_stays_shut(flow: Steps) -> None:
    with flow.world.database.transaction() as connection:
        gate.close(connection, DATASTORE, "AccessDeniedException")
    flow.world.imaging.failures["GetDatastore"] = "AccessDeniedException"
    flow.reclaim()
    assert flow.semaphore()["gate"] == "CLOSED"


# --- one bad row stops nobody ------------------------------------------------------------------------------
