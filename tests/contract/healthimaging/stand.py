"""A test stand: the emulator behind real HTTP, plain boto3 in front, moto's S3 beside it."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import numpy
from botocore.config import Config
from healthimaging_emulator import HealthImaging, Server
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client

ROLE = "arn:aws:iam::123456789012:role/import"
INPUT = "dicom-input"
OUTPUT = "import-output"
DEADLINE_SECONDS = 60.0

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """The first answer of `look` that is not None; looking takes a fifth of a core at most."""
    until = time.monotonic() + DEADLINE_SECONDS
    while (began := time.monotonic()) < until:
        if (found := look()) is not None:
            return found
        time.sleep(max(0.01, 4 * (time.monotonic() - began)))
    raise AssertionError(f"not within {DEADLINE_SECONDS} s: {what}")


def medical_imaging(url: str, **config: Any) -> HealthImagingClient:
    """A plain client: its host prefixes are switched off by AWS_DISABLE_HOST_PREFIX_INJECTION."""
    return boto3.client(
        "medical-imaging",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}, **config),
    )


def instance(**attributes: Any) -> Dataset:
    """A small CT image; keywords are DICOM attributes to set, None removes one."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.2.826.0.1.1",
        "SeriesInstanceUID": "1.2.826.0.1.1.1",
        "PatientID": "P1",
        "PatientName": "Phantom^Test",
        "StudyDate": "20260102",
        "StudyTime": "101112",
        "StudyID": "S1",
        "AccessionNumber": "A1",
        "Modality": "CT",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
        "Rows": 4,
        "Columns": 6,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": numpy.arange(24, dtype="<u2").tobytes(),
    }
    for keyword, value in (values | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OW"
    return dataset


def part10(dataset: Dataset) -> bytes:
    """The data set as a DICOM file."""
    buffer = io.BytesIO()
    meta = dataset.file_meta
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@dataclass
class Stand:
    """One emulator with a data store, and the calls that every test makes."""

    emulator: HealthImaging
    server: Server
    client: HealthImagingClient
    s3: S3Client
    datastore_id: str

    def put(self, key: str, content: bytes | Dataset) -> str:
        """Puts a file below the input bucket; answers its SOP Instance UID, or nothing for bytes."""
        body = part10(content) if isinstance(content, Dataset) else content
        self.s3.put_object(Bucket=INPUT, Key=key, Body=body)
        return str(content.get("SOPInstanceUID", "")) if isinstance(content, Dataset) else ""

    def start(self, prefix: str, **parameters: Any) -> str:
        """Starts an import of a prefix; the job's id."""
        request = {
            "datastoreId": self.datastore_id,
            "dataAccessRoleArn": ROLE,
            "inputS3Uri": f"s3://{INPUT}/{prefix}",
            "outputS3Uri": f"s3://{OUTPUT}/results/",
            "jobName": "job",
        }
        return self.client.start_dicom_import_job(**(request | parameters))["jobId"]

    def job(self, job_id: str) -> Any:
        """GetDICOMImportJob's jobProperties."""
        return self.client.get_dicom_import_job(datastoreId=self.datastore_id, jobId=job_id)["jobProperties"]

    def wait_for_status(self, job_id: str, *statuses: str) -> Any:
        """The job, once it is in one of the statuses."""

        def look() -> Any:
            job = self.job(job_id)
            return job if job["jobStatus"] in statuses else None

        return wait_for(look, f"job {job_id} in {statuses}")

    def run(self, prefix: str, **parameters: Any) -> Any:
        """Runs an import to its end; the job."""
        return self.wait_for_status(self.start(prefix, **parameters), "COMPLETED", "FAILED")

    def summary(self, job: Any) -> Any:
        """The jobSummary of the output manifest."""
        return json.loads(self.output(job, "job-output-manifest.json"))["jobSummary"]

    def output(self, job: Any, name: str) -> bytes:
        """An object of the job's output folder; raises NoSuchKey."""
        bucket, _, folder = job["outputS3Uri"].removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=folder + name)["Body"].read()

    def lines(self, job: Any, name: str) -> list[Any]:
        """An ndjson file of the output folder, empty when it is not there."""
        try:
            return [json.loads(line) for line in self.output(job, name).splitlines()]
        except self.s3.exceptions.NoSuchKey:
            return []

    def image_sets(self) -> list[Any]:
        """Everything SearchImageSets finds without criteria, oldest first."""
        pages = self.client.get_paginator("search_image_sets").paginate(
            datastoreId=self.datastore_id,
            searchCriteria={"sort": {"sortField": "createdAt", "sortOrder": "ASC"}},
        )
        return [each for page in pages for each in page["imageSetsMetadataSummaries"]]

    def metadata(self, image_set_id: str, version: str | None = None) -> Any:
        """The metadata document."""
        chosen = {"versionId": version} if version else {}
        answer = self.client.get_image_set_metadata(
            datastoreId=self.datastore_id, imageSetId=image_set_id, **chosen
        )
        assert answer["contentEncoding"] == "gzip"
        return json.loads(gzip.decompress(answer["imageSetMetadataBlob"].read()))

    def instances(self, image_set_id: str, version: str | None = None) -> dict[str, Any]:
        """The metadata's instances, by SOP Instance UID."""
        (series,) = self.metadata(image_set_id, version)["Study"]["Series"].values()
        return dict(series["Instances"])

    def frame(self, image_set_id: str, frame_id: str) -> tuple[bytes, str]:
        """A frame's bytes and content type."""
        answer = self.client.get_image_frame(
            datastoreId=self.datastore_id,
            imageSetId=image_set_id,
            imageFrameInformation={"imageFrameId": frame_id},
        )
        return answer["imageFrameBlob"].read(), answer["contentType"]

    def events(self, detail_type: str = "") -> list[Any]:
        """The events sent so far (of one detail type), with `Detail` parsed."""
        return [
            {**entry, "Detail": json.loads(entry["Detail"])}
            for entry in self.emulator.events.sent()
            if entry["DetailType"].startswith(detail_type)
        ]
