"""An emulator with a data store, two buckets and clients: what a test or a script works with."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .client import client
from .emulator import HealthImaging
from .moto_s3 import moto_s3
from .server import Server
from .service.settings import Settings
from .state.faults import Faults

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client

ROLE = "arn:aws:iam::123456789012:role/import"
T = TypeVar("T")


@dataclass(frozen=True)
class ImportJob:
    """An import that has ended: its job, and what it wrote to S3."""

    properties: dict[str, Any]
    """GetDICOMImportJob's `jobProperties`."""
    summary: dict[str, Any]
    """`jobSummary` of the manifest; empty where there is none."""
    failures: list[dict[str, Any]]
    """The lines of failure.ndjson."""
    warnings: list[dict[str, Any]]
    """The lines of warning.ndjson."""

    @property
    def status(self) -> str:
        """COMPLETED or FAILED."""
        return str(self.properties["jobStatus"])

    @property
    def image_set_ids(self) -> list[str]:
        """The image sets that the import made or changed."""
        return [str(each["imageSetId"]) for each in self.summary.get("imageSetsSummary", [])]


class Stand:
    """A running emulator. Ends, with all that it holds, when the `with` block does.

    `s3` is a boto3 client of the S3 that holds the files, by default moto's. Two buckets are made in it.
    """

    def __init__(
        self, s3: S3Client | None = None, settings: Settings | None = None, name: str = "tests"
    ) -> None:
        self.input_bucket, self.output_bucket = (f"{kind}-{uuid.uuid4().hex}" for kind in ("input", "output"))
        with ExitStack() as stack:
            self.s3 = stack.enter_context(moto_s3()) if s3 is None else s3
            for bucket in (self.input_bucket, self.output_bucket):
                self.s3.create_bucket(Bucket=bucket)
            self.emulator = stack.enter_context(HealthImaging(self.s3, settings or Settings.fast()))
            self.datastore_id = self.emulator.ensure_datastore(name)
            self._server = stack.enter_context(Server(self.emulator))
            self.client: HealthImagingClient = client(self._server.url)
            stack.callback(self.client.close)
            self._stack = stack.pop_all()

    @property
    def url(self) -> str:
        """The endpoint: AWS_ENDPOINT_URL_MEDICAL_IMAGING."""
        return self._server.url

    @property
    def faults(self) -> Faults:
        """What goes wrong next: `faults.add(JobFault(effect="fail"))`."""
        return self.emulator.faults

    @property
    def events(self) -> list[dict[str, Any]]:
        """The EventBridge entries so far, oldest first."""
        return self.emulator.events.sent()

    def import_folder(self, folder: Path | str, timeout: float = 60) -> ImportJob:
        """Upload every file of a folder and import them in one job; the ended job.

        Raises:
            TimeoutError: the job has not ended after `timeout` seconds.
        """
        root, prefix = Path(folder), f"{uuid.uuid4().hex}/"
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            key = prefix + path.relative_to(root).as_posix()
            self.s3.upload_file(str(path), self.input_bucket, key)
        return self.import_prefix(prefix, timeout)

    def import_prefix(self, prefix: str, timeout: float = 60) -> ImportJob:
        """Import what lies under a prefix of the input bucket; the ended job. Raises TimeoutError."""
        answer = self.client.start_dicom_import_job(
            datastoreId=self.datastore_id,
            dataAccessRoleArn=ROLE,
            inputS3Uri=f"s3://{self.input_bucket}/{prefix}",
            outputS3Uri=f"s3://{self.output_bucket}/",
            clientToken=uuid.uuid4().hex,
        )
        job_id = answer["jobId"]
        properties = self._wait(lambda: self._ended(job_id), f"job {job_id} has ended", timeout)
        folder = properties["outputS3Uri"].removeprefix(f"s3://{self.output_bucket}/")
        manifest = self._output(f"{folder}job-output-manifest.json")
        return ImportJob(
            properties,
            json.loads(manifest)["jobSummary"] if manifest else {},
            [json.loads(line) for line in self._output(f"{folder}FAILURE/failure.ndjson").splitlines()],
            [json.loads(line) for line in self._output(f"{folder}WARNING/warning.ndjson").splitlines()],
        )

    def image_sets(self) -> Iterator[dict[str, Any]]:
        """Every image set as SearchImageSets shows it, newest first."""
        for page in self.client.get_paginator("search_image_sets").paginate(datastoreId=self.datastore_id):
            yield from page["imageSetsMetadataSummaries"]  # type: ignore[misc]

    def metadata(self, image_set_id: str) -> dict[str, Any]:
        """The metadata document of an image set's latest version."""
        answer = self.client.get_image_set_metadata(datastoreId=self.datastore_id, imageSetId=image_set_id)
        document: dict[str, Any] = json.loads(gzip.decompress(answer["imageSetMetadataBlob"].read()))
        return document

    def frame(self, image_set_id: str, frame_id: str) -> bytes:
        """A frame in its stored encoding."""
        answer = self.client.get_image_frame(
            datastoreId=self.datastore_id,
            imageSetId=image_set_id,
            imageFrameInformation={"imageFrameId": frame_id},
        )
        return answer["imageFrameBlob"].read()

    def close(self) -> None:
        """End the emulator. What it kept is gone, unless its settings name a state folder."""
        self._stack.close()

    def _ended(self, job_id: str) -> dict[str, Any] | None:
        answer = self.client.get_dicom_import_job(datastoreId=self.datastore_id, jobId=job_id)
        job: dict[str, Any] = dict(answer["jobProperties"])
        return job if job["jobStatus"] in ("COMPLETED", "FAILED") else None

    def _output(self, key: str) -> bytes:
        try:
            return self.s3.get_object(Bucket=self.output_bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return b""

    def _wait(self, look: Callable[[], T | None], what: str, timeout: float) -> T:
        until = time.monotonic() + timeout
        while (found := look()) is None:
            if time.monotonic() > until:
                raise TimeoutError(f"not within {timeout} s: {what}")
            time.sleep(0.01)
        return found

    def __enter__(self) -> Stand:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
