"""Faults on demand, in code and through the control routes."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from healthimaging_emulator import EventFault, FailCall, JobFault, RefuseInstance, Settings, SlowCall

from ..stand import Stand, instance, wait_for


def control(stand: Stand, method: str, route: str, content: Any = None) -> Any:
    body = json.dumps(content).encode() if content is not None else None
    request = urllib.request.Request(f"{stand.server.url}/_control/{route}", body, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_the_next_calls_of_an_operation_fail_as_told_and_then_work(stand: Stand) -> None:
    stand.emulator.faults.add(FailCall(operation="StartDICOMImportJob", error="ThrottlingException", times=2))
    for _ in range(2):
        with pytest.raises(stand.client.exceptions.ThrottlingException):
            stand.start("a/")
    stand.client.get_datastore(datastoreId=stand.datastore_id)
    stand.start("a/")


def test_an_answer_can_be_lost_after_the_job_was_started(stand: Stand) -> None:
    stand.emulator.faults.add(
        FailCall(operation="StartDICOMImportJob", error="InternalServerException", when="after")
    )
    with pytest.raises(stand.client.exceptions.InternalServerException):
        stand.start("a/", clientToken="once")
    job_id = stand.start("a/", clientToken="once")
    listed = stand.client.list_dicom_import_jobs(datastoreId=stand.datastore_id)["jobSummaries"]
    assert [job["jobId"] for job in listed] == [job_id]


def test_an_answer_can_be_slow(stand: Stand) -> None:
    stand.emulator.faults.add(SlowCall(operation="GetDatastore", seconds=0.3))
    began = time.monotonic()
    stand.client.get_datastore(datastoreId=stand.datastore_id)
    assert time.monotonic() - began >= 0.3


def test_a_stuck_job_stays_in_progress_until_it_is_released(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.emulator.faults.add(JobFault(effect="stuck"))
    job_id = stand.start("a/")
    wait_for(lambda: stand.emulator.faults.stuck() == [job_id] or None, "the job is stuck")
    assert stand.job(job_id)["jobStatus"] == "IN_PROGRESS"
    stand.emulator.faults.release(job_id)
    assert stand.wait_for_status(job_id, "COMPLETED")


def test_a_job_can_fail_with_a_message(stand: Stand) -> None:
    stand.emulator.faults.add(JobFault(effect="fail", message="Broken for a test."))
    job = stand.run("a/")
    assert (job["jobStatus"], job["message"]) == ("FAILED", "DICOM import job has failed. Broken for a test.")


def test_a_fault_can_wait_for_a_job_by_its_name(stand: Stand) -> None:
    stand.emulator.faults.add(JobFault(effect="fail", job_name="second"))
    assert stand.run("a/", jobName="first")["jobStatus"] == "COMPLETED"
    assert stand.run("a/", jobName="second")["jobStatus"] == "FAILED"


def test_a_job_can_complete_with_every_file_refused(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance())
    stand.emulator.faults.add(JobFault(effect="refuse_all", message="No."))
    job = stand.run("a/")
    assert job["jobStatus"] == "COMPLETED"
    assert stand.summary(job)["numberOfFilesWithCustomerError"] == 2
    assert {line["exception"]["message"] for line in stand.lines(job, "FAILURE/failure.ndjson")} == {"No."}


def test_one_instance_can_be_refused(stand: Stand) -> None:
    uid = stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance())
    stand.emulator.faults.add(RefuseInstance(sop_instance_uid=uid))
    job = stand.run("a/")
    summary = stand.summary(job)
    assert (summary["numberOfImportedFiles"], summary["numberOfFilesWithServerError"]) == (1, 1)
    (line,) = stand.lines(job, "FAILURE/failure.ndjson")
    assert line["exception"]["exceptionType"] == "InternalServerException"


def test_the_manifest_can_be_missing(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.emulator.faults.add(JobFault(effect="no_manifest"))
    job = stand.run("a/")
    assert job["jobStatus"] == "COMPLETED"
    assert len(stand.image_sets()) == 1
    assert stand.s3.list_objects_v2(Bucket="import-output")["KeyCount"] == 0


def test_the_manifest_can_be_late(stand: Stand) -> None:
    stand.emulator.faults.add(JobFault(effect="late_manifest", seconds=0.2))
    job = stand.run("a/")
    assert stand.lines(job, "job-output-manifest.json") == []
    wait_for(lambda: stand.lines(job, "job-output-manifest.json") or None, "the manifest")


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ("drop", ["In Progress", "Completed"]),
        ("double", ["Submitted", "Submitted", "In Progress", "Completed"]),
        ("reorder", ["In Progress", "Submitted", "Completed"]),
    ],
)
def test_events_can_be_dropped_doubled_and_reordered(stand: Stand, effect: Any, expected: list[str]) -> None:
    stand.emulator.faults.add(EventFault(effect=effect, detail_type="Import Job Submitted"))
    stand.run("a/")
    wait_for(lambda: len(stand.events("Import Job")) == len(expected) or None, "all events")
    assert [e["DetailType"].removeprefix("Import Job ") for e in stand.events("Import Job")] == expected


def test_faults_are_armed_listed_and_cleared_over_http(stand: Stand) -> None:
    fault = {"kind": "fail_call", "operation": "GetDatastore", "error": "AccessDeniedException", "times": 3}
    control(stand, "POST", "faults", fault)
    with pytest.raises(stand.client.exceptions.AccessDeniedException):
        stand.client.get_datastore(datastoreId=stand.datastore_id)
    (armed,) = control(stand, "GET", "faults")["faults"]
    assert armed["times"] == 2
    control(stand, "DELETE", "faults")
    stand.client.get_datastore(datastoreId=stand.datastore_id)


def test_a_stuck_job_is_found_and_released_over_http(stand: Stand) -> None:
    control(stand, "POST", "faults", {"kind": "job", "effect": "stuck"})
    job_id = stand.start("a/")
    wait_for(lambda: control(stand, "GET", "stuck")["jobs"] == [job_id] or None, "the job is stuck")
    control(stand, "POST", f"release/{job_id}")
    stand.wait_for_status(job_id, "COMPLETED")


def test_settings_are_changed_over_http(stand: Stand) -> None:
    control(
        stand, "PATCH", "settings", {"limits": {"rates": {"GetDatastore": {"per_second": 0.001, "burst": 1}}}}
    )
    stand.client.get_datastore(datastoreId=stand.datastore_id)
    with pytest.raises(stand.client.exceptions.ThrottlingException):
        stand.client.get_datastore(datastoreId=stand.datastore_id)
    assert control(stand, "GET", "settings")["limits"]["concurrent_import_jobs"] == 100


@pytest.mark.parametrize(
    ("method", "route", "content", "status", "words"),
    [
        ("POST", "faults", {"kind": "nonsense"}, 400, "nonsense"),
        ("POST", "faults", {"kind": "fail_call", "operation": "Nope", "error": "x"}, 400, "allowed"),
        ("PATCH", "settings", {"speed": 1}, 400, "speed"),
        ("POST", "release/unknown", None, 404, "not stuck"),
        ("GET", "nothing", None, 404, "allowed"),
    ],
)
def test_a_control_call_that_is_not_understood_says_why(
    stand: Stand, method: str, route: str, content: Any, status: int, words: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as failure:
        control(stand, method, route, content)
    with failure.value as answer:
        assert answer.code == status
        assert words in answer.read().decode()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "refuse_instance"}, "refuse_instance.sop_instance_uid: Field required"),
        ({"kind": "job", "effect": "stuck", "job_name": 1}, "job.job_name: Input should be a valid string"),
    ],
)
def test_a_fault_that_is_refused_is_told_why_in_one_line(stand: Stand, fault: Any, message: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as failure:
        control(stand, "POST", "faults", fault)
    with failure.value as answer:
        assert json.load(answer) == {"message": message}


def test_the_events_of_a_job_can_name_the_prefix_that_was_sent(make_stand: Any) -> None:
    stand = make_stand(Settings.fast(behaviour={"event_output_uri": "as_sent"}))
    stand.run("a/")
    assert {event["Detail"]["outputS3Uri"] for event in stand.events("Import Job")} == {
        "s3://import-output/results/"
    }


def test_a_fault_that_names_an_unknown_error_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: "):
        FailCall(operation="GetDatastore", error="NoSuchException")


def test_events_go_to_the_publisher_in_order_and_a_failing_one_is_tried_again(make_stand: Any) -> None:
    delivered: list[str] = []
    failures = iter([True, False])

    def publish(entries: list[dict[str, Any]]) -> None:
        if next(failures, False):
            raise ClientError({"Error": {"Code": "InternalException", "Message": "x"}}, "PutEvents")
        delivered.extend(entry["DetailType"] for entry in entries)

    stand = make_stand(publish=publish)
    job = stand.run("a/")
    wait_for(lambda: len(delivered) == 3 or None, "three events")
    assert delivered == ["Import Job Submitted", "Import Job In Progress", "Import Job Completed"]
    (completed,) = stand.events("Import Job Completed")
    assert completed["Source"] == "aws.medical-imaging"
    assert completed["Resources"] == [
        f"arn:aws:medical-imaging:us-east-1:123456789012:datastore/{stand.datastore_id}"
    ]
    assert completed["Detail"] == {
        "imagingVersion": "1.0",
        "datastoreId": stand.datastore_id,
        "jobId": job["jobId"],
        "jobName": "job",
        "jobStatus": "COMPLETED",
        "inputS3Uri": job["inputS3Uri"],
        "outputS3Uri": job["outputS3Uri"],
    }
