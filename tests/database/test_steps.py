"""The workflow keeps its word: the handlers, called one after the other, on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import gate, queueing
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import ClaimLostError, DatabaseAwayError
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Run, Steps, steps

NEW = "e" * 32


@pytest.fixture
def flow(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with steps(World.around(database, DATASTORE), monkeypatch) as wired:
        yield wired


def capacity(flow: Steps, slots: int) -> None:
    flow.rows("UPDATE semaphore SET capacity = :slots", slots=slots)


def fails(flow: Steps, run: Run) -> dict[str, Any]:
    """Its import fails as a whole; what StartImport then says."""
    flow.end(run, "FAILED")
    assert run.check()["retry"]
    return run.start()


def test_a_series_goes_its_way(flow: Steps) -> None:
    run = flow.announce()
    assert run.ingest()["name"] == "COMPLETED"
    assert (run.row()["state"], run.row()["outcome"]) == ("OVER", "COMPLETED")
    assert [ticket["state"] for ticket in run.tickets()] == ["DONE"]


# --- no outcome is ever missing ----------------------------------------------------------------------------


def test_release_writes_the_failure_that_could_not_be_recorded(flow: Steps) -> None:
    run = flow.announce()
    run.index_series()
    run.state["error"] = {"Error": "Lambda.ResourceNotReadyException", "Cause": "inactive"}
    run.release()
    row = run.row()
    assert (row["state"], row["outcome"]) == ("OVER", "FAILED")
    assert row["outcome_detail"] == (
        "its failure could not be recorded: Lambda.ResourceNotReadyException: inactive"
    )


def test_release_leaves_an_outcome_that_was_said_alone(flow: Steps) -> None:
    run = flow.announce()
    run.ingest()
    run.state["error"] = {"Error": "Sandbox.Timedout", "Cause": ""}
    run.release()
    assert run.row()["outcome"] == "COMPLETED"


def test_words_that_a_newer_edge_uses_are_no_reason_to_fail(flow: Steps) -> None:
    run = flow.announce()
    run.event["detail"] |= {"seal_reason": "a reason to come", "priority": "urgent", "schema_version": 2}
    assert run.index_series()["import_needed"]
    assert (run.row()["seal_reason"], run.row()["priority"]) == ("a reason to come", 0)


def test_an_event_that_cannot_be_read_leaves_a_row_and_ends_failed(flow: Steps) -> None:
    run = flow.announce()
    good = dict(run.event["detail"])
    run.event["detail"]["instance_count"] = "many"
    with pytest.raises(ValueError, match="instance_count"):
        run.index_series()
    said = run.fail("ValidationError", "instance_count: not a number")
    assert (said["outcome"]["name"], run.row()["outcome"]) == ("FAILED", "FAILED")
    assert "instance_count" in run.row()["outcome_detail"]
    assert run.release() == {"released": False, "orphaned": False, "granted": 0}
    again = flow.announce(run.announced)
    assert again.event["detail"] == good
    assert again.ingest()["name"] == "COMPLETED", "an event that can be read fills the row in"
    assert run.row()["prefix"] == good["prefix"]


def test_an_event_that_names_no_series_ends_failed_without_a_row(flow: Steps) -> None:
    run = flow.announce()
    run.event["detail"] = {"transfer_id": "../etc", "series_instance_uid": 3}
    assert run.fail("ValidationError", "no")["outcome"]["name"] == "FAILED"
    assert flow.rows("SELECT * FROM series_transfer") == []


# --- an older version never hides a newer one, and none of its other instances stays out -------------------


def two_versions() -> tuple[Announced, Announced]:
    """Three images of which a later transfer changes one."""
    sops = tuple(new_uid() for _ in range(3))
    old = Announced(sequence=1, sop_instance_uids=sops, content="old")
    new = replace(old, transfer_id=str(uuid4()), sequence=2, sop_instance_uids=sops[:1], content="new")
    return old, new


def test_a_late_transfer_is_imported_where_a_newer_version_of_one_instance_is_held(flow: Steps) -> None:
    old, new = two_versions()
    first = flow.announce(new)
    first.ingest()
    late = flow.announce(old)
    said = late.ingest()
    assert (said["name"], said["imported"]) == ("COMPLETED", 3)
    assert f"transfer {new.transfer_id} is queued again behind it" in said["detail"]
    (queued,) = flow.world.executions.started.values()
    assert queued["detail"]["transfer_id"] == new.transfer_id
    balanced = "SELECT balanced FROM ledger WHERE transfer_id = :id"
    assert flow.rows(balanced, id=new.transfer_id) == [{"balanced": False}], "the older version is on top"
    again = flow.announce(new)
    assert again.event["detail"] == queued["detail"]
    assert again.ingest()["name"] == "COMPLETED"
    assert flow.rows(balanced, id=new.transfer_id) == [{"balanced": True}]
    assert len(flow.world.executions.started) == 1, "nothing is newer than it any more"


def test_superseded_needs_every_instance_to_be_held(flow: Steps) -> None:
    old, new = two_versions()
    flow.announce(old).ingest()
    flow.announce(new).ingest()
    older = replace(old, transfer_id=str(uuid4()), sequence=1, content="old")
    run = flow.announce(older)
    said = run.ingest()
    assert said["name"] == "SUPERSEDED"
    verdicts = flow.rows(
        "SELECT verdict, count(*) AS n FROM instance_transfer WHERE series_transfer_pk = :pk "
        "GROUP BY verdict ORDER BY verdict",
        pk=run.row()["pk"],
    )
    assert verdicts == [{"verdict": "SUPERSEDED", "n": 1}, {"verdict": "UNCHANGED", "n": 2}]


def test_a_newer_transfer_that_was_not_started_again_is_started_by_reclaim(flow: Steps) -> None:
    old, new = two_versions()
    flow.announce(new).ingest()
    late = flow.announce(old)
    late.index_series()
    late.acquire()
    late.start()
    flow.end(late)
    late.check()
    late.record()
    flow.stop(late)  # before it could release
    flow.reclaim()
    assert [event["detail"]["transfer_id"] for event in flow.world.executions.started.values()] == [
        new.transfer_id
    ]


def test_a_missing_instance_is_never_hidden_behind_a_duplicate(flow: Steps) -> None:
    series = Announced()
    flow.announce(series).ingest()
    again = replace(series, transfer_id=str(uuid4()), sequence=2, missing=(new_uid(),))
    said = flow.announce(again).ingest()
    assert (said["name"], said["detail"]) == (
        "PARTIAL",
        "the data store holds the same bytes; 1 more are missing",
    )


# --- HealthImaging's own counts decide ---------------------------------------------------------------------


def test_a_forced_import_is_judged_by_its_own_results(flow: Steps) -> None:
    series = Announced()
    flow.announce(series).ingest()
    forced = flow.announce(series, **{"replay-name": "force-a"})
    said = forced.ingest(imported=0, success=[])
    assert (said["name"], said["imported"]) == ("FAILED", 0)


def test_success_lines_that_healthimaging_does_not_count_are_not_completed(flow: Steps) -> None:
    run = flow.announce()
    said = run.ingest(imported=1, failure=[])
    assert (said["name"], said["imported"]) == ("PARTIAL", 2)
    assert "HealthImaging counts 1 imported" in said["detail"]


def test_lines_are_matched_by_the_files_name_however_its_path_is_printed(flow: Steps) -> None:
    series = Announced()
    lines = [
        {"inputFile": f"s3://dicom/{series.prefix.instance(sop)}", "importResponse": {"imageSetId": "a" * 32}}
        for sop in series.sop_instance_uids
    ]
    said = flow.announce(series).ingest(imported=2, success=lines)
    assert (said["name"], said["imported"]) == ("COMPLETED", 2)


def test_an_attempt_that_is_tried_again_leaves_its_image_sets_in_the_index(flow: Steps) -> None:
    run = flow.announce()
    run.index_series()
    run.acquire()
    run.start()
    flow.end(run, server_errors=1, image_sets=["b" * 32])
    assert run.check()["retry"]
    assert run.start()["status"] == "QUEUE_AGAIN"
    assert [row["image_set_id"] for row in flow.rows("SELECT image_set_id FROM ahliimageset")] == ["b" * 32]


# --- a data store whose imports fail -----------------------------------------------------------------------


def started(flow: Steps, count: int) -> list[Run]:
    runs = [flow.announce() for _ in range(count)]
    for run in runs:
        run.index_series()
        run.acquire()
        run.start()
    return runs


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


@pytest.mark.parametrize(
    "results", [b'{"inputFile": "a', b'{"inputFile": "a/1.dcm", "importResponse": {"imageSetVersion": {}}}']
)
def test_a_leftover_that_cannot_be_read_stops_no_other_and_no_grant(flow: Steps, results: bytes) -> None:
    capacity(flow, 2)
    bad, good = started(flow, 2)
    waiting = flow.announce()
    waiting.index_series()
    waiting.acquire()
    for run in (bad, good):
        flow.end(run)
        flow.stop(run)
    (lines,) = (key for key in flow.world.s3.objects if key.endswith("success.ndjson") and _of(bad, key))
    flow.world.s3.objects[lines] = results
    reply = flow.reclaim()
    assert (reply["troubled"], reply["recorded"], reply["granted"]) == (1, 1, 1)
    assert good.row()["outcome"] == "COMPLETED"
    assert waiting.tickets()[0]["state"] == "GRANTED"


def _of(run: Run, key: str) -> bool:
    return run.announced.series_instance_uid in key


def test_what_step_functions_does_not_answer_stops_no_grant(
    flow: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = started(flow, 1)
    flow.stop(run)
    flow.world.executions.failure = "ThrottlingException"
    reply = flow.reclaim()
    assert reply["troubled"] > 0
    written = capsys.readouterr().out
    assert '"OldestWaiterSeconds"' in written, "gauges are written whatever happens"
    assert '"OldestImportSeconds"' in written


def test_two_passes_do_not_work_at_the_same_time(flow: Steps, migrated_url: str) -> None:
    other = Database(migrated_url)
    with other.transaction() as connection:
        connection.run("SELECT pg_advisory_lock(:lock)", lock=0x52434C4D)
    assert flow.reclaim() == {
        **dict.fromkeys(("delivered", "freed", "recorded", "cancelled", "troubled", "granted"), 0),
        "opened_database": True,
    }
    other.close()
    (run,) = started(flow, 1)
    flow.stop(run)
    flow.reclaim()


# --- tickets -----------------------------------------------------------------------------------------------


def replace_data_store(flow: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SemaphoreSettings(datastore_id=NEW, capacity=3, start_rate=1000, start_burst=1000)
    with flow.world.database.transaction() as connection:
        queueing.configure(connection, settings)
    monkeypatch.setenv("DATASTORE_ID", NEW)


@pytest.mark.parametrize("state", ["WAITING", "GRANTED", "RUNNING"])
def test_a_replay_after_a_replaced_data_store_leaks_no_slot(
    flow: Steps, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    capacity(flow, 0 if state == "WAITING" else 3)
    stranded = flow.announce()
    stranded.index_series()
    stranded.acquire()
    if state == "RUNNING":
        stranded.start()
    assert stranded.tickets()[0]["state"] == state
    replace_data_store(flow, monkeypatch)
    flow.stop(stranded)
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    again = flow.announce(stranded.announced)
    assert again.ingest()["name"] == "COMPLETED"
    assert [ticket["state"] for ticket in again.tickets()] == ["DONE"]
    assert flow.reclaim()["troubled"] == 0
    assert flow.rows("SELECT * FROM ahlijob WHERE state NOT IN ('DONE', 'CANCELLED')") == []


def test_an_older_token_never_replaces_a_newer_one(flow: Steps) -> None:
    capacity(flow, 0)
    run = flow.announce()
    run.index_series()
    run.acquire(entered_at="2026-11-22T08:00:00Z", retry=1)
    kept = run.tickets()[0]["task_token"]
    run.acquire(entered_at="2026-11-22T08:00:00Z", retry=0)
    run.acquire(entered_at="2026-11-22T07:00:00Z", retry=5)
    assert run.tickets()[0]["task_token"] == kept
    run.acquire(entered_at="2026-11-22T09:00:00Z", retry=0)
    assert run.tickets()[0]["task_token"] != kept, "the state was entered again: a redrive"


def test_a_forced_replay_is_not_dropped_where_a_ticket_is_inherited(flow: Steps) -> None:
    series = Announced()
    flow.announce(series).ingest()
    capacity(flow, 0)
    first = flow.announce(series, **{"replay-name": "force-a"})
    first.index_series()
    first.acquire()
    flow.stop(first)
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    capacity(flow, 3)
    second = flow.announce(series, **{"replay-name": "force-b"})
    second.index_series()
    second.acquire()
    assert second.start()["status"] == "SUBMITTED", "not DUPLICATE"


def test_the_same_forced_replay_goes_on_where_its_execution_was_stopped(flow: Steps) -> None:
    series = Announced()
    flow.announce(series).ingest()
    name = {"replay-name": "force-a"}
    first = flow.announce(series, **name)
    first.index_series()
    flow.stop(first)
    flow.rows("UPDATE series_transfer SET claimed_at = claimed_at - interval '1 hour'")
    second = flow.announce(series, **name)
    assert second.ingest()["name"] == "COMPLETED"
    assert flow.announce(series, **name).ingest()["name"] == "DUPLICATE", "delivered once more"


def test_two_starts_of_one_execution_after_a_failed_import_lose_nothing(flow: Steps) -> None:
    (run,) = started(flow, 1)
    flow.end(run, "FAILED")
    run.check()
    before = dict(run.state)
    assert run.start()["status"] == "QUEUE_AGAIN"
    run.state = before
    assert run.start()["status"] == "SUBMITTED", "the late one finds the ticket granted again"
    (ticket,) = run.tickets()
    assert (ticket["attempt"], len(ticket["earlier_imports"])) == (2, 1)


def test_nothing_is_started_by_an_execution_that_lost_its_claim(flow: Steps) -> None:
    (run,) = started(flow, 1)
    flow.rows("UPDATE series_transfer SET fence = fence + 1")
    with pytest.raises(ClaimLostError):
        run.start()


def test_a_second_attempt_is_paced_like_any_other_start(flow: Steps) -> None:
    (run,) = started(flow, 1)
    flow.rows("UPDATE semaphore SET start_rate = 0.001, start_burst = 1, next_start = clock_timestamp() + "
              "interval '10 minutes'")  # fmt: skip
    fails(flow, run)
    slot = run.acquire()
    assert slot is not None
    assert run.tickets()[0]["start_at"] - run.tickets()[0]["granted_at"] > timedelta(minutes=9)


# --- a replay leaves what was alone ------------------------------------------------------------------------


def test_a_replay_leaves_times_and_history_alone_and_is_listed_beside_them(flow: Steps) -> None:
    first = flow.announce()
    first.ingest()
    before = first.row()
    replay = flow.announce(first.announced, **{"replay-name": "nightly"})
    assert replay.ingest()["name"] == "DUPLICATE"
    after = first.row()
    kept = ("begun_at", "indexed_at", "over_at", "outcome", "imported", "told_execution")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    (later,) = flow.rows("SELECT * FROM later_execution")
    assert (later["execution"], later["replay_name"], later["outcome"]) == (
        replay.arn,
        "nightly",
        "DUPLICATE",
    )
    assert later["over_at"] is not None


def test_a_new_try_of_a_failed_series_tells_its_own_times(flow: Steps) -> None:
    first = flow.announce()
    first.index_series()
    first.fail("ManifestRejectedError", "altered")
    first.release()
    before = first.row()
    again = flow.announce(first.announced)
    again.ingest()
    after = again.row()
    assert (after["outcome"], after["told_execution"]) == ("COMPLETED", again.arn)
    assert after["over_at"] > before["over_at"]
    assert after["begun_at"] > before["begun_at"]


# --- what a deploy has not done yet


def test_a_data_store_that_is_not_configured_yet_fails_no_series(
    flow: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = flow.announce()
    run.index_series()
    monkeypatch.setenv("DATASTORE_ID", "f" * 32)
    with pytest.raises(DatabaseAwayError, match="run migrate_database"):
        run.acquire()
    assert run.row()["outcome"] is None


def test_non_primary_always_says_why(flow: Steps) -> None:
    series = Announced()
    lines = [
        {"inputFile": f"{sop}.dcm", "importResponse": {"imageSetId": "a" * 32, "isPrimary": False}}
        for sop in series.sop_instance_uids
    ]
    said = flow.announce(series).ingest(imported=2, success=lines)
    assert said["name"] == "NON_PRIMARY"
    assert said["detail"].startswith("2 of 2 in non-primary image sets; the index knows no earlier import")
