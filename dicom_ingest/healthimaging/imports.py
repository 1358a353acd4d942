"""AWS HealthImaging as the workflow uses it: start, look, and its errors in our words.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-import-jobs.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.messages.steps import ImportState
from dicom_ingest.errors import (
    DataStoreGateClosedError,
    HealthImagingBusyError,
    ImportRefusedError,
    ResultsNotYetWrittenError,
)
from dicom_ingest.healthimaging.polling import FIRST_POLL_SECONDS, poll_after, with_jitter
from dicom_ingest.healthimaging.results import ImportResults, printable, read_results, read_summary

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_medical_imaging.type_defs import DICOMImportJobPropertiesTypeDef
    from mypy_boto3_s3 import S3Client

BUSY = frozenset(
    {
        "ThrottlingException",
        "ServiceQuotaExceededException",
        "InternalServerException",
        "ConflictException",  # a token whose other parameters a deploy has changed: not the store's fault
    }
)
BROKEN = frozenset({"ResourceNotFoundException", "AccessDeniedException"})
RESULTS_PATIENCE = timedelta(minutes=15)
"""How long after its end an import's results may still appear; they lag by seconds."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """HealthImaging's errors as ours: who is to blame decides what happens next."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        words = f"{code}: {error.response['Error'].get('Message')}"
        if code in BUSY:
            raise HealthImagingBusyError(words) from error
        if code in BROKEN:
            raise DataStoreGateClosedError(words) from error
        raise ImportRefusedError(words) from error
    except BotoCoreError as error:
        raise HealthImagingBusyError(f"{type(error).__name__}: {error}") from error


@contextmanager
def unless_vanished() -> Iterator[None]:
    """The block ends early where the import or its data store does not exist (any more)."""
    try:
        with translated_errors():
            yield
    except DataStoreGateClosedError as error:
        if "ResourceNotFoundException" not in str(error):
            raise


@dataclass(frozen=True)
class ImportOrder:
    """One attempt to import one series transfer; all of it follows from ticket and attempt."""

    datastore_id: str
    role_arn: str
    bucket: str
    prefix: str
    results_prefix: str
    client_token: str
    job_name: str


def client_token(datastore_id: str, transfer_id: str, series_instance_uid: str, attempt: int) -> str:
    """Deterministic, so that a repeated call finds the import that the first one started; 64 characters."""
    words = "\n".join((datastore_id, transfer_id, series_instance_uid, str(attempt)))
    return hashlib.sha256(words.encode()).hexdigest()


def start(client: HealthImagingClient, order: ImportOrder) -> str:
    """Start the import, or find the one that this token started; HealthImaging's job id.

    Raises:
        HealthImagingBusyError, DataStoreGateClosedError, ImportRefusedError
    """
    with translated_errors():
        answer = client.start_dicom_import_job(
            datastoreId=order.datastore_id,
            dataAccessRoleArn=order.role_arn,
            clientToken=order.client_token,
            jobName=order.job_name,
            inputS3Uri=f"s3://{order.bucket}/{order.prefix}",
            outputS3Uri=f"s3://{order.bucket}/{order.results_prefix}",
        )
    return answer["jobId"]


def find(client: HealthImagingClient, datastore_id: str, job_name: str) -> str | None:
    """The id of a live import of this name: asked before an old token is sent again."""
    with unless_vanished():
        for status in ("SUBMITTED", "IN_PROGRESS"):
            pages = client.get_paginator("list_dicom_import_jobs").paginate(
                datastoreId=datastore_id, jobStatus=status
            )
            for page in pages:
                for job in page["jobSummaries"]:
                    if job.get("jobName") == job_name:
                        return job["jobId"]
    return None


def find_started(client: HealthImagingClient, s3: S3Client, order: ImportOrder) -> str | None:
    """The import that an earlier call with this token started: a live one, or one whose results are in S3."""
    live = find(client, order.datastore_id, order.job_name)
    if live is not None:
        return live
    listed = s3.list_objects_v2(Bucket=order.bucket, Prefix=order.results_prefix, Delimiter="/")
    # results/…/{attempt}/{datastoreId}-DicomImport-{jobId}/
    begins = f"{order.results_prefix}{order.datastore_id}-DicomImport-"
    folders = (folder["Prefix"] for folder in listed.get("CommonPrefixes", []))
    return next((name.removeprefix(begins).rstrip("/") for name in folders if name.startswith(begins)), None)


def results_of(
    client: HealthImagingClient, s3: S3Client, datastore_id: str, state: ImportState
) -> ImportResults:
    """What an import that is over says of itself; nothing where it failed as a whole or vanished.

    Raises:
        ResultsNotYetWrittenError: it completed lately, but its manifest is not in S3 yet.
    """
    if state.results_uri is not None:  # another execution has read them there
        return read_results(s3, state.results_uri) or ImportResults(lost=state.status == "COMPLETED")
    job = describe(client, datastore_id, state.import_id) if state.import_id else None
    if job is None:
        return ImportResults()
    folder = job_folder(job)
    results = read_results(s3, folder)
    if results is None and job["jobStatus"] == "COMPLETED":
        if _ended_lately(job):
            raise ResultsNotYetWrittenError(f"import {state.import_id}: no manifest below {folder}")
        return ImportResults(lost=True)
    return results or ImportResults()


def job_folder(job: DICOMImportJobPropertiesTypeDef) -> str:
    """The URI of the import's own folder, with a slash at its end.

    GetDICOMImportJob's `outputS3Uri` was seen as this folder; AWS's page on events also prints it as the
    prefix that was sent.
    """
    uri = job["outputS3Uri"].rstrip("/")
    folder = f"{job['datastoreId']}-DicomImport-{job['jobId']}"
    return f"{uri}/" if uri.endswith(f"/{folder}") else f"{uri}/{folder}/"


def _ended_lately(job: DICOMImportJobPropertiesTypeDef) -> bool:
    ended_at = job.get("endedAt")
    return ended_at is None or datetime.now(timezone.utc) - ended_at < RESULTS_PATIENCE


def is_well(client: HealthImagingClient, datastore_id: str) -> bool:
    """Whether the data store answers and takes imports: the probe that opens its gate."""
    try:
        with translated_errors():
            answer = client.get_datastore(datastoreId=datastore_id)
    except DataStoreGateClosedError:
        return False
    return answer["datastoreProperties"]["datastoreStatus"] == "ACTIVE"


def describe(
    client: HealthImagingClient, datastore_id: str, import_id: str
) -> DICOMImportJobPropertiesTypeDef | None:
    """The import's properties, or None where it (or its data store) vanished."""
    with unless_vanished():
        return client.get_dicom_import_job(datastoreId=datastore_id, jobId=import_id)["jobProperties"]
    return None


def examine(client: HealthImagingClient, s3: S3Client, datastore_id: str, known: ImportState) -> ImportState:
    """The state of the import, when to look again, and whether it earns its one new attempt."""
    job = describe(client, datastore_id, known.import_id) if known.import_id else None
    if job is None:
        return known.model_copy(update={"status": "GONE", "poll_after_seconds": 0})
    over = job["jobStatus"] in ("COMPLETED", "FAILED")
    return known.model_copy(
        update={
            "status": job["jobStatus"],
            "poll_after_seconds": 0 if over else _poll_after(job.get("submittedAt"), known),
            "retry": over and not known.retried and _deserves_another(s3, job),
            "message": printable(job["message"]) if "message" in job else None,
        }
    )


def _deserves_another(s3: S3Client, job: DICOMImportJobPropertiesTypeDef) -> bool:
    """It failed as a whole, or on server errors; what is wrong with a file stays wrong."""
    if job["jobStatus"] == "FAILED":
        return True
    bucket, _, prefix = job_folder(job).removeprefix("s3://").partition("/")
    summary = read_summary(s3, bucket, prefix)
    return summary is not None and int(summary.get("numberOfFilesWithServerError", 0)) > 0


def _poll_after(submitted_at: datetime | None, known: ImportState) -> int:
    if submitted_at is None:
        return FIRST_POLL_SECONDS
    age = (datetime.now(timezone.utc) - submitted_at).total_seconds()
    return with_jitter(poll_after(age, shared=known.bundle is not None))
