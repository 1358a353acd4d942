"""HealthImaging's results as they lie in S3: streamed, lenient, any file absent."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from dicom_ingest.contracts.messages.outcomes import Verdict
from dicom_ingest.healthimaging.imports import job_folder
from dicom_ingest.healthimaging.results import read_results
from tests.support.workflow.stand_ins import S3

OUTPUT = "s3://dicom/results/x/1/store-DicomImport-job/"
JOB = {"outputS3Uri": OUTPUT}


def line(number: int, **response: Any) -> dict[str, Any]:
    return {"inputFile": f"e/t/s/s/{number}.dcm", "importResponse": {"imageSetId": "i", **response}}


def read(s3: S3) -> Any:
    return read_results(cast("Any", s3), OUTPUT)


def test_no_manifest_is_no_results_yet() -> None:
    assert read(S3()) is None


def test_every_file_but_the_manifest_may_be_absent() -> None:
    s3 = S3()
    s3.put_results(JOB, imported=2)
    found = read(s3)
    assert (found.scanned, found.imported, found.instances, found.unnamed) == (2, 2, [], True)


def test_five_thousand_lines_are_read_as_a_stream() -> None:
    s3 = S3()
    s3.put_results(
        JOB,
        imported=4999,
        success=[line(number, isPrimary=True) for number in range(4999)],
        failure=[{"inputFile": "e/t/s/s/4999.dcm", "exception": {"exceptionType": "E", "message": "m"}}],
        warning=[line(7, warnings=[{"warning_reason_code": 45330, "type": "T", "message": "w"}])],
    )
    found = read(s3)
    counts = {verdict: sum(i.verdict is verdict for i in found.instances) for verdict in Verdict}
    assert (counts[Verdict.IMPORTED], counts[Verdict.WARNED], counts[Verdict.FAILED]) == (4998, 1, 1)
    assert not found.unnamed


@pytest.mark.parametrize(("said", "meant"), [(True, True), ("True", True), ("false", False), (None, None)])
def test_is_primary_is_understood_as_the_documentation_prints_it(said: Any, meant: bool | None) -> None:
    s3 = S3()
    s3.put_results(JOB, imported=1, success=[line(1, isPrimary=said)])
    assert read(s3).instances[0].is_primary is meant


def test_a_manifest_of_before_primary_image_sets_is_understood() -> None:
    s3 = S3()
    prefix = OUTPUT.removeprefix("s3://dicom/")
    summary = {"numberOfScannedFiles": 1, "imageSetsSummary": [{"imageSetId": "i"}]}
    s3.objects[f"{prefix}job-output-manifest.json"] = json.dumps({"jobSummary": summary}).encode()
    (image_set,) = read(s3).image_sets
    assert (image_set.version, image_set.is_primary) == (1, None)


@pytest.mark.parametrize(
    "uri", ["s3://b/r", "s3://b/r/", "s3://b/r/d-DicomImport-j", "s3://b/r/d-DicomImport-j/"]
)
def test_the_jobs_folder_is_found_from_the_folder_and_from_the_prefix_that_was_sent(uri: str) -> None:
    job = {"outputS3Uri": uri, "datastoreId": "d", "jobId": "j"}
    assert job_folder(cast("Any", job)) == "s3://b/r/d-DicomImport-j/"
