"""Replays, repeated events and stopped executions lose nothing and start nothing twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.errors import ClaimLostError, DatabaseAwayError
from tests.database.steps.conftest import capacity, fails, started
from tests.support.workflow.series import Announced
from tests.support.workflow.steps import Steps

NEW = "e" * 32


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
