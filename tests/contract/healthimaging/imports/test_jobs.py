"""Import jobs: validation, identity, quotas, life and output."""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from healthimaging_emulator import JobFault, Limits, ManualClock, Rate, Settings, Timing

from ..conftest import MakeStand
from ..stand import INPUT, OUTPUT, ROLE, Stand, instance, part10, wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def error_of(failure: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = failure.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_job_answers_where_its_own_output_lies(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    job = stand.run("a/", jobName="my-job")
    assert job["jobStatus"] == "COMPLETED"
    assert job["jobName"] == "my-job"
    assert job["inputS3Uri"] == f"s3://{INPUT}/a/"
    folder = f"{stand.datastore_id}-DicomImport-{job['jobId']}"
    assert job["outputS3Uri"] == f"s3://{OUTPUT}/results/{folder}/"
    assert job["submittedAt"] <= job["endedAt"]
    assert "message" not in job


def test_an_output_prefix_without_slash_gets_one(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    job = stand.run("a/", outputS3Uri=f"s3://{OUTPUT}/here")
    assert job["outputS3Uri"].startswith(f"s3://{OUTPUT}/here/{stand.datastore_id}-DicomImport-")
    assert stand.summary(job)["numberOfImportedFiles"] == 1


def test_the_manifest_counts_files_and_names_image_sets(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance())
    stand.put("a/notes.txt", b"not DICOM")
    job = stand.run("a/")
    summary = stand.summary(job)
    (image_set,) = stand.image_sets()
    assert summary == {
        "jobId": job["jobId"],
        "datastoreId": stand.datastore_id,
        "inputS3Uri": job["inputS3Uri"],
        "outputS3Uri": job["outputS3Uri"],
        "successOutputS3Uri": job["outputS3Uri"] + "SUCCESS/",
        "failureOutputS3Uri": job["outputS3Uri"] + "FAILURE/",
        "warningsOutputS3Uri": job["outputS3Uri"] + "WARNING/",
        "numberOfScannedFiles": 3,
        "numberOfImportedFiles": 2,
        "numberOfFilesWithCustomerError": 1,
        "numberOfFilesWithServerError": 0,
        "numberOfGeneratedImageSets": 1,
        "imageSetsSummary": [
            {
                "imageSetId": image_set["imageSetId"],
                "imageSetVersion": 1,
                "isPrimary": True,
                "numberOfMatchedSOPInstances": 2,
            }
        ],
    }


def test_each_file_has_a_line_in_success_or_failure_by_its_object_key(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance(SOPClassUID=None))
    stand.put("a/notes.txt", b"not DICOM")
    job = stand.run("a/")
    (image_set,) = stand.image_sets()
    assert stand.lines(job, "SUCCESS/success.ndjson") == [
        {
            "inputFile": "a/1.dcm",
            "importResponse": {
                "imageSetId": image_set["imageSetId"],
                "imageSetVersion": 1,
                "isPrimary": True,
            },
        }
    ]
    assert {line["inputFile"]: line["exception"] for line in stand.lines(job, "FAILURE/failure.ndjson")} == {
        "a/2.dcm": {
            "exceptionType": "ValidationException",
            "message": "DICOM attribute SOPClassUID does not exist",
        },
        "a/notes.txt": {
            "exceptionType": "ValidationException",
            "message": "DICOM attributes does not exist",
        },
    }
    assert stand.lines(job, "WARNING/warning.ndjson") == []


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_file_without_one_of_its_uids_is_refused_by_name(stand: Stand, keyword: str) -> None:
    stand.put("a/1.dcm", instance(**{keyword: None}))
    (line,) = stand.lines(stand.run("a/"), "FAILURE/failure.ndjson")
    assert line["exception"]["message"] == f"DICOM attribute {keyword} does not exist"


def test_a_file_with_an_attribute_that_is_too_long_is_refused(stand: Stand) -> None:
    dataset = instance()
    dataset.add_new("StudyDescription", "LT", "x" * 257)
    stand.put("a/1.dcm", dataset)
    (line,) = stand.lines(stand.run("a/"), "FAILURE/failure.ndjson")
    assert line["exception"]["message"].startswith("DICOM attribute StudyDescription exceeds")


def test_a_malformed_uid_is_imported_with_a_warning(stand: Stand) -> None:
    content = part10(instance(SOPInstanceUID="1.2.13"))
    stand.put("a/1.dcm", content.replace(b"1.2.13", b"1.2.03"))
    job = stand.run("a/")
    (line,) = stand.lines(job, "WARNING/warning.ndjson")
    assert line["inputFile"] == "a/1.dcm"
    (warning,) = line["importResponse"]["warnings"]
    assert (warning["warning_reason_code"], warning["type"]) == (45570, "INVALID_UID_FORMAT")
    assert stand.summary(job)["numberOfImportedFiles"] == 1


def test_a_file_may_have_10_gb() -> None:
    assert Limits().bytes_per_file == 10_000_000_000


def test_what_a_job_has_not_is_null_on_the_wire(stand: Stand) -> None:
    job_id = stand.client.start_dicom_import_job(
        datastoreId=stand.datastore_id, dataAccessRoleArn=ROLE, clientToken="t",
        inputS3Uri=f"s3://{INPUT}/a/", outputS3Uri=f"s3://{OUTPUT}/",
    )["jobId"]  # fmt: skip
    stand.wait_for_status(job_id, "COMPLETED")
    url = f"{stand.server.url}/getDICOMImportJob/datastore/{stand.datastore_id}/job/{job_id}"
    with urllib.request.urlopen(url) as answer:
        properties = json.load(answer)["jobProperties"]
    assert (properties["jobName"], properties["message"]) == (None, None)
    assert "importConfiguration" not in properties


def test_all_files_refused_is_still_a_completed_job(stand: Stand) -> None:
    stand.put("a/notes.txt", b"not DICOM")
    job = stand.run("a/")
    assert job["jobStatus"] == "COMPLETED"
    assert stand.summary(job)["imageSetsSummary"] == []
    assert stand.image_sets() == []


def test_a_prefix_without_slash_does_not_take_its_longer_neighbour(stand: Stand) -> None:
    stand.put("1.2.3/a.dcm", instance())
    stand.put("1.2.30/b.dcm", instance())
    assert stand.summary(stand.run("1.2.3"))["numberOfScannedFiles"] == 1


def test_a_prefix_as_sent_takes_its_longer_neighbour_when_so_set(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"input_prefix": "as_sent"}))
    stand.put("1.2.3/a.dcm", instance())
    stand.put("1.2.30/b.dcm", instance())
    assert stand.summary(stand.run("1.2.3"))["numberOfScannedFiles"] == 2


def test_an_empty_prefix_completes_with_nothing_scanned(stand: Stand) -> None:
    job = stand.run("nothing/")
    assert (job["jobStatus"], stand.summary(job)["numberOfScannedFiles"]) == ("COMPLETED", 0)


def test_an_empty_prefix_fails_when_so_set(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"empty_prefix": "FAILED"}))
    assert stand.run("nothing/")["jobStatus"] == "FAILED"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"files_per_job": 1}, "FILE_COUNTS_LIMIT_EXCEEDED"),
        ({"bytes_per_job": 100}, "TOTAL_SIZE_LIMIT_EXCEEDED"),
        ({"folders_per_job": 1}, "FOLDER_COUNTS_LIMIT_EXCEEDED"),
        ({"metadata_bytes_per_import": 100}, "IMAGE_SET_METADATA_SIZE_LIMIT_EXCEEDED"),
    ],
)
def test_a_job_beyond_a_limit_fails_later_with_a_message(
    make_stand: MakeStand, limits: dict[str, int], reason: str
) -> None:
    stand = make_stand(Settings.fast(limits={"rates": {}, **limits}))
    stand.put("a/x/1.dcm", instance())
    stand.put("a/y/2.dcm", instance())
    job = stand.run("a/")
    assert job["jobStatus"] == "FAILED"
    assert job["message"] == f"DICOM import job has failed. {reason}"
    assert stand.image_sets() == []


def test_a_file_beyond_the_size_limit_is_refused(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(limits={"rates": {}, "bytes_per_file": 1000}))
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance(PixelData=bytes(2000)))
    (line,) = stand.lines(stand.run("a/"), "FAILURE/failure.ndjson")
    assert line["inputFile"] == "a/2.dcm"


@pytest.mark.parametrize("member", ["inputS3Uri", "outputS3Uri"])
def test_a_bucket_that_does_not_exist_fails_the_job(stand: Stand, member: str) -> None:
    stand.put("a/1.dcm", instance())
    job = stand.run("a/", **{member: "s3://no-such-bucket/a/"})
    assert job["jobStatus"] == "FAILED"
    assert job["message"].startswith("DICOM import job has failed.")
    assert stand.image_sets() == []


def test_a_bucket_that_does_not_exist_is_refused_at_once_when_so_set(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"missing_bucket": "validation"}))
    with pytest.raises(ClientError) as failure:
        stand.start("a/", inputS3Uri="s3://no-such-bucket/a/")
    assert error_of(failure) == ("ValidationException", 400)


def test_the_same_token_answers_with_the_same_job(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    first = stand.start("a/", clientToken="token-1")
    stand.wait_for_status(first, "COMPLETED")
    assert stand.start("a/", clientToken="token-1") == first
    assert stand.start("a/", clientToken="token-2") != first
    listed = stand.client.list_dicom_import_jobs(datastoreId=stand.datastore_id)["jobSummaries"]
    assert len(listed) == 2


def test_the_same_token_with_other_parameters_is_a_conflict(stand: Stand) -> None:
    stand.start("a/", clientToken="token-1")
    with pytest.raises(ClientError) as failure:
        stand.start("b/", clientToken="token-1")
    assert error_of(failure) == ("ConflictException", 409)


@pytest.mark.parametrize(("switch", "code"), [("validation", "ValidationException"), ("first_answer", None)])
def test_what_other_parameters_under_one_token_do_can_be_set(
    make_stand: MakeStand, switch: str, code: str | None
) -> None:
    stand = make_stand(Settings.fast(behaviour={"mismatched_parameters": switch}))
    first = stand.start("a/", clientToken="token-1")
    if code is None:
        assert stand.start("b/", clientToken="token-1") == first
        return
    with pytest.raises(ClientError) as failure:
        stand.start("b/", clientToken="token-1")
    assert error_of(failure)[0] == code


def test_a_token_is_forgotten_after_its_retention(make_stand: MakeStand) -> None:
    clock = ManualClock()
    stand = make_stand(Settings.fast(behaviour={"client_token_retention_seconds": 60}), clock=clock)
    first = stand.start("a/", clientToken="token-1")
    clock.advance(61)
    assert stand.start("a/", clientToken="token-1") != first


def test_running_jobs_beyond_the_quota_are_refused_with_402(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(limits=Limits(concurrent_import_jobs=2, rates={})))
    stand.emulator.faults.add(JobFault(effect="stuck", times=2))
    stuck = [stand.start("a/", clientToken=f"t{n}") for n in range(2)]
    with pytest.raises(ClientError) as failure:
        stand.start("a/", clientToken="t3")
    assert error_of(failure) == ("ServiceQuotaExceededException", 402)
    wait_for(lambda: stand.emulator.faults.stuck() == sorted(stuck) or None, "both jobs are stuck")
    stand.emulator.faults.release(stuck[0])
    stand.wait_for_status(stuck[0], "COMPLETED")
    assert stand.run("a/", clientToken="t3")["jobStatus"] == "COMPLETED"
    stand.emulator.faults.release(stuck[1])
    stand.wait_for_status(stuck[1], "COMPLETED")


def test_the_quota_is_counted_per_data_store(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(limits=Limits(concurrent_import_jobs=1, rates={})))
    other = stand.emulator.ensure_datastore("other")
    stand.emulator.faults.add(JobFault(effect="stuck"))
    stuck = stand.start("a/")
    stand.start("a/", datastoreId=other)
    wait_for(lambda: stand.emulator.faults.release(stuck) or None, "the first job is stuck")


def test_calls_beyond_the_rate_are_throttled_with_429(make_stand: MakeStand) -> None:
    clock = ManualClock()
    rates = {"GetDatastore": Rate(per_second=1, burst=2)}
    stand = make_stand(Settings.fast(limits={"rates": rates}), clock=clock)
    for _ in range(2):
        stand.client.get_datastore(datastoreId=stand.datastore_id)
    with pytest.raises(ClientError) as failure:
        stand.client.get_datastore(datastoreId=stand.datastore_id)
    assert error_of(failure) == ("ThrottlingException", 429)
    clock.advance(1)
    stand.client.get_datastore(datastoreId=stand.datastore_id)


def test_the_default_rate_of_starts_is_one_a_second_with_a_burst_of_two() -> None:
    rate = Settings().limits.rates["StartDICOMImportJob"]
    assert (rate.per_second, rate.burst) == (1, 2)


def test_a_job_takes_its_modelled_time(make_stand: MakeStand) -> None:
    clock = ManualClock()
    timing = Timing(submitted=10, import_base=20, import_per_file=5, import_per_byte=0, write=0)
    stand = make_stand(Settings.fast(timing=timing), clock=clock)
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance())
    job_id = stand.start("a/")
    assert stand.job(job_id)["jobStatus"] == "SUBMITTED"
    clock.advance(10)
    stand.wait_for_status(job_id, "IN_PROGRESS")
    clock.advance(29)
    assert stand.job(job_id)["jobStatus"] == "IN_PROGRESS"
    assert stand.image_sets() == []
    clock.advance(1)
    job = stand.wait_for_status(job_id, "COMPLETED")
    assert (job["endedAt"] - job["submittedAt"]).total_seconds() == 40


def test_the_manifest_may_come_after_the_status(make_stand: MakeStand) -> None:
    clock = ManualClock()
    settings = Settings.fast(timing=Timing(submitted=0, import_base=0, import_per_file=0, manifest_delay=3))
    stand = make_stand(settings, clock=clock)
    stand.put("a/1.dcm", instance())
    job = stand.run("a/")
    with pytest.raises(stand.s3.exceptions.NoSuchKey):
        stand.output(job, "job-output-manifest.json")
    clock.advance(3)
    wait_for(lambda: stand.lines(job, "job-output-manifest.json") or None, "the manifest")
    assert stand.summary(job)["numberOfImportedFiles"] == 1


def test_jobs_are_listed_newest_first_by_status_and_page(stand: Stand) -> None:
    job_ids = [stand.start("a/", jobName=f"job-{n}") for n in range(3)]
    for job_id in job_ids:
        stand.wait_for_status(job_id, "COMPLETED")
    pages = list(
        stand.client.get_paginator("list_dicom_import_jobs").paginate(
            datastoreId=stand.datastore_id, jobStatus="COMPLETED", PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["jobSummaries"]) for page in pages] == [2, 1]
    assert [job["jobId"] for page in pages for job in page["jobSummaries"]] == job_ids[::-1]
    failed = stand.client.list_dicom_import_jobs(datastoreId=stand.datastore_id, jobStatus="FAILED")
    assert failed["jobSummaries"] == []


def test_jobs_are_listed_for_90_days(make_stand: MakeStand) -> None:
    clock = ManualClock()
    stand = make_stand(clock=clock)
    job = stand.run("a/")
    clock.advance(90 * 24 * 3600 + 1)
    listed = stand.client.list_dicom_import_jobs(datastoreId=stand.datastore_id)["jobSummaries"]
    assert listed == []
    assert stand.job(job["jobId"])["jobStatus"] == "COMPLETED"


def test_a_store_that_does_not_exist_and_one_that_is_not_active_are_refused(stand: Stand) -> None:
    with pytest.raises(ClientError) as failure:
        stand.start("a/", datastoreId="0" * 32)
    assert error_of(failure) == ("ResourceNotFoundException", 404)
    stand.client.delete_datastore(datastoreId=stand.datastore_id)
    with pytest.raises(ClientError) as failure:
        stand.start("a/")
    assert error_of(failure) == ("ConflictException", 409)


def test_a_job_of_another_store_is_not_found(stand: Stand) -> None:
    job_id = stand.start("a/")
    stand.wait_for_status(job_id, "COMPLETED")
    other = stand.emulator.ensure_datastore("other")
    with pytest.raises(stand.client.exceptions.ResourceNotFoundException):
        stand.client.get_dicom_import_job(datastoreId=other, jobId=job_id)


def test_boto3_reaches_both_host_prefixes_on_one_port(stand: Stand) -> None:
    stand.client.get_datastore(datastoreId=stand.datastore_id)
    stand.client.search_image_sets(datastoreId=stand.datastore_id)
    with pytest.raises(ClientError) as failure:
        stand.client.start_dicom_import_job(
            datastoreId=stand.datastore_id,
            dataAccessRoleArn=ROLE,
            inputS3Uri="nope",
            outputS3Uri=f"s3://{OUTPUT}/",
            jobName="x" * 65,
            clientToken="token",
        )
    assert error_of(failure) == ("ValidationException", 400)
    assert "inputS3Uri" in str(failure.value)
    assert "jobName" in str(failure.value)


def test_a_mistake_of_the_emulator_fails_the_job_and_shows(
    make_stand: MakeStand, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand()
    seen: list[type[BaseException] | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    monkeypatch.setattr(s3, "get_paginator", lambda _: {})
    stand.put("a/1.dcm", instance())
    job = stand.run("a/")
    assert (job["jobStatus"], job["message"]) == (
        "FAILED",
        "DICOM import job has failed. INTERNAL_SERVER_ERROR",
    )
    wait_for(lambda: seen == [AttributeError] or None, "the exception is shown")
