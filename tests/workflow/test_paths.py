"""The named paths through the workflow: from the event on the bus to the row that says how it ended."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from statemachines import history
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced, new_uid

HAPPY = [
    "IndexSeries",
    "ImportNeeded?",
    "AcquireImportSlot",
    "WaitForStart",
    "StartImport",
    "ImportStarted?",
    "WaitForImport",
    "CheckImport",
    "ImportFinished?",
    "RecordImageSets",
    "ReleaseImportSlot",
    "Ingested?",
    "SeriesIngested",
]


def outcome(execution: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(execution["output"])["outcome"]
    return found


def test_happy(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    assert execution["status"] == "SUCCEEDED"
    assert pipeline.states(execution) == HAPPY
    assert (1 + len(HAPPY), len(pipeline.history(execution))) == astuple(history.ordinary(polls=1))
    said = outcome(execution)
    assert (said["name"], said["imported"], said["instances"]) == ("COMPLETED", 2, 2)
    transfer, (ticket,) = pipeline.transfer(series), pipeline.tickets(series)
    assert (transfer["state"], transfer["outcome"], transfer["scanned"]) == ("OVER", "COMPLETED", 2)
    assert (ticket["state"], ticket["status"], ticket["attempt"]) == ("DONE", 3, 1)
    image_sets = pipeline.rows(
        "SELECT image_set_id, version, is_primary FROM Ahliimageset WHERE series_instance_uid = :uid",
        uid=series.series_instance_uid,
    )
    assert image_sets == [{"image_set_id": said["image_set_ids"][0], "version": 1, "is_primary": True}]
    verdicts = pipeline.rows(
        "SELECT DISTINCT verdict, image_set_id FROM instance_transfer WHERE series_transfer_pk = :pk",
        pk=transfer["pk"],
    )
    assert verdicts == [{"verdict": "IMPORTED", "image_set_id": said["image_set_ids"][0]}]
    balanced = pipeline.rows("SELECT balanced FROM ledger WHERE transfer_id = :id", id=series.transfer_id)
    assert balanced == [{"balanced": True}]


def test_slots_full_then_free(pipeline: Pipeline) -> None:
    pipeline.slots(0)
    first, second = Announced(), Announced()
    for series in (first, second):
        pipeline.ingest(series)
        pipeline.eventually(partial(pipeline.tickets, series), "its ticket")
    assert {pipeline.tickets(series)[0]["status"] for series in (first, second)} == {1}
    pipeline.slots(1)
    for series in (first, second):
        assert outcome(pipeline.finished(series)[0])["name"] == "COMPLETED"
    (one,), (other,) = pipeline.tickets(first), pipeline.tickets(second)
    assert one["over_at"] <= other["granted_at"], "one slot: one after the other, in order of arrival"


def test_import_fails_twice(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.fault(kind="job", effect="fail", times=2, message="DISK_ON_FIRE")
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    assert execution["status"] == "FAILED"
    assert (execution["error"], execution["cause"]) == ("FAILED", "DICOM import job has failed. DISK_ON_FIRE")
    (ticket,) = pipeline.tickets(series)
    assert (ticket["state"], ticket["status"], ticket["attempt"]) == ("DONE", 4, 2)
    assert [entry["status"] for entry in ticket["earlier_imports"]] == ["FAILED"]
    assert pipeline.transfer(series)["outcome"] == "FAILED"
    assert "RecordFailure" not in pipeline.states(execution), "a failed import is recorded like any other"


def test_import_fails_once(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.fault(kind="job", effect="fail", times=1)
    pipeline.ingest(series)
    assert outcome(pipeline.finished(series)[0])["name"] == "COMPLETED"
    assert pipeline.tickets(series)[0]["attempt"] == 2


def test_throttled_twice_then_works(pipeline: Pipeline) -> None:
    series = Announced()
    # The SDK tries three times at once; twice as often reaches the state machine's own retry.
    pipeline.fault(kind="fail_call", operation="StartDICOMImportJob", error="ThrottlingException", times=6)
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    assert outcome(execution)["name"] == "COMPLETED"
    assert len(pipeline.tickets(series)) == 1


def test_the_quota_is_waited_for(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.fault(
        kind="fail_call", operation="StartDICOMImportJob", error="ServiceQuotaExceededException", times=1
    )
    pipeline.ingest(series)
    assert outcome(pipeline.finished(series)[0])["name"] == "COMPLETED"


def test_the_answer_of_a_start_is_lost_and_nothing_is_imported_twice(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.fault(
        kind="fail_call",
        operation="StartDICOMImportJob",
        error="InternalServerException",
        when="after",
        times=3,
    )
    pipeline.ingest(series)
    assert outcome(pipeline.finished(series)[0])["name"] == "COMPLETED"
    versions = pipeline.rows(
        "SELECT version FROM ahliimageset WHERE series_instance_uid = :uid", uid=series.series_instance_uid
    )
    assert versions == [{"version": 1}]


def test_partial_import(pipeline: Pipeline) -> None:
    series = Announced()
    bad = series.sop_instance_uids[1]
    pipeline.fault(
        kind="refuse_instance",
        sop_instance_uid=bad,
        exception_type="ValidationException",
        message="DICOM attribute SOPClassUID does not exist",
    )
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    assert execution["status"] == "SUCCEEDED"
    said = outcome(execution)
    assert (said["name"], said["imported"], said["failed"]) == ("PARTIAL", 1, 1)
    assert said["detail"] == "1 of 2 instances imported, 1 failed"
    row = pipeline.rows(
        "SELECT verdict, message FROM instance_transfer WHERE sop_instance_uid = :uid", uid=bad
    )
    assert row == [
        {
            "verdict": "FAILED",
            "message": "ValidationException: DICOM attribute SOPClassUID does not exist",
        }
    ]


def test_a_completed_import_that_imported_nothing_has_failed(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.fault(kind="job", effect="refuse_all", times=1, message="DICOM attributes does not exist")
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    assert (execution["status"], execution["error"]) == ("FAILED", "FAILED")
    assert execution["cause"] == "0 of 2 instances imported, 2 failed"


def test_the_same_event_twice(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.upload(series)
    pipeline.announce(series)
    pipeline.announce(series)
    names = sorted(outcome(execution)["name"] for execution in pipeline.finished(series, 2))
    assert names in (["COMPLETED", "IN_PROGRESS_ELSEWHERE"], ["COMPLETED", "DUPLICATE"])
    assert len(pipeline.tickets(series)) == 1
    assert pipeline.transfer(series)["outcome"] == "COMPLETED"


def test_a_replay_converges(pipeline: Pipeline) -> None:
    series = Announced()
    since = datetime.now(UTC) - timedelta(seconds=2)
    pipeline.ingest(series)
    pipeline.finished(series)
    pipeline.replay(f"again-{series.transfer_id[:8]}", since)
    executions = pipeline.finished(series, 2)
    assert [outcome(execution)["name"] for execution in executions] == ["COMPLETED", "DUPLICATE"]
    assert (len(pipeline.tickets(series)), pipeline.transfer(series)["outcome"]) == (1, "COMPLETED")


def test_the_same_images_in_another_transfer_are_not_imported_again(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.ingest(series)
    pipeline.finished(series)
    again = replace(series, transfer_id=Announced().transfer_id, sequence=2)
    pipeline.ingest(again)
    assert outcome(pipeline.finished(again)[0])["name"] == "DUPLICATE"
    assert pipeline.tickets(again) == []


def test_an_older_version_never_replaces_a_newer_one(pipeline: Pipeline) -> None:
    old = Announced(sequence=1, content="old")
    new = replace(old, transfer_id=Announced().transfer_id, sequence=2, content="new")
    pipeline.ingest(new)
    pipeline.finished(new)
    pipeline.ingest(old)
    assert outcome(pipeline.finished(old)[0])["name"] == "SUPERSEDED"
    ledger = pipeline.rows(
        "SELECT superseded, pending, balanced FROM ledger WHERE transfer_id = :id", id=old.transfer_id
    )
    assert ledger == [{"superseded": 2, "pending": 0, "balanced": True}]


def test_a_conflicting_patient_id_gives_non_primary_image_sets(pipeline: Pipeline) -> None:
    series = Announced(patient_id="one")
    pipeline.ingest(series)
    pipeline.finished(series)
    corrected = replace(
        series,
        transfer_id=Announced().transfer_id,
        sequence=2,
        patient_id="another",
        sop_instance_uids=(new_uid(),),
    )
    pipeline.ingest(corrected)
    execution = pipeline.finished(corrected)[0]
    assert (execution["status"], outcome(execution)["name"]) == ("SUCCEEDED", "NON_PRIMARY")


def test_an_object_that_never_arrived_is_said(pipeline: Pipeline) -> None:
    series = Announced()
    lost = series.sop_instance_uids[0]
    pipeline.upload(series, without=(lost,))
    pipeline.announce(series)
    said = outcome(pipeline.finished(series)[0])
    assert (said["name"], said["imported"]) == ("PARTIAL", 1)
    rows = pipeline.rows(
        "SELECT verdict, message FROM instance_transfer WHERE sop_instance_uid = :uid", uid=lost
    )
    assert rows == [{"verdict": "MISSING", "message": "announced, but its object is not in S3"}]


def test_a_manifest_that_was_altered_fails_the_series_and_says_so(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.upload(series)
    pipeline.announce(series, manifest_sha256="0" * 64)
    execution = pipeline.finished(series)[0]
    assert (execution["status"], execution["error"]) == ("FAILED", "FAILED")
    assert "announced was 000" in execution["cause"]
    assert (pipeline.transfer(series)["state"], pipeline.transfer(series)["outcome"]) == ("OVER", "FAILED")


def test_an_event_of_another_edge_is_refused(pipeline: Pipeline) -> None:
    series = Announced(edge="another-stack-edge1")
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    assert execution["status"] == "FAILED"
    assert "EventRejectedError" in execution["cause"]
    assert pipeline.rows("SELECT * FROM series_transfer WHERE transfer_id = :id", id=series.transfer_id) == []


def test_a_broken_data_store_closes_the_gate_and_burns_nobody(pipeline: Pipeline) -> None:
    first, second = Announced(), Announced()
    pipeline.fault(
        kind="fail_call", operation="StartDICOMImportJob", error="AccessDeniedException", times=None
    )
    pipeline.ingest(first)
    pipeline.eventually(lambda: pipeline.rows("SELECT * FROM semaphore WHERE gate = 'CLOSED'"), "it closes")
    pipeline.ingest(second)
    pipeline.eventually(lambda: pipeline.tickets(second), "its ticket")
    assert pipeline.tickets(second)[0]["state"] == "WAITING"
    pipeline.clear_faults()
    for series in (first, second):
        assert outcome(pipeline.finished(series)[0])["name"] == "COMPLETED"
    assert pipeline.rows("SELECT * FROM semaphore WHERE gate = 'CLOSED'") == []
