"""Step Functions, HealthImaging and S3 as the index's code sees them, in memory: always passed in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from dicom_ingest.contracts.messages.manifest import encode_manifest
from tests.support.workflow.series import MORNING, Announced


def client_error(code: str, operation: str = "Operation") -> ClientError:
    """An error as boto3 raises it."""
    return ClientError({"Error": {"Code": code, "Message": "as armed"}}, operation)


@dataclass
class StepFunctions:
    """Executions that run or not, and task tokens: each is good for one answer while its execution runs."""

    running: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    started: dict[str, Any] = field(default_factory=dict)
    """The input of every execution that was started, by ARN."""
    failure: str | None = None

    def issue(self, execution: str) -> str:
        """A new token of an execution."""
        token = str(uuid4())
        self.owners[token] = execution
        return token

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        """RUNNING or ABORTED."""
        self._maybe_fail()
        self.asked.append(executionArn)
        return {"status": "RUNNING" if executionArn in self.running else "ABORTED"}

    def send_task_success(self, *, taskToken: str, output: str) -> None:  # noqa: N803 - boto3's name
        """Accepted once, while the execution runs; a used token and a dead one are answered alike."""
        self._maybe_fail()
        if taskToken in self.answers or self.owners.get(taskToken) not in self.running:
            raise client_error("TaskTimedOut", "SendTaskSuccess")
        self.answers[taskToken] = json.loads(output)

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:  # noqa: N803 - boto3's
        """As a success is: once, while the execution runs."""
        self._maybe_fail()
        if taskToken in self.answers or self.owners.get(taskToken) not in self.running:
            raise client_error("TaskTimedOut", "SendTaskFailure")
        self.answers[taskToken] = (error, cause)

    def list_executions(self, **_: Any) -> dict[str, Any]:
        """Whether any runs."""
        self._maybe_fail()
        return {"executions": [{"executionArn": arn} for arn in sorted(self.running)[:1]]}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        """Noted, with its input."""
        self._maybe_fail()
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        self.started[arn] = json.loads(input)
        return {"executionArn": arn}

    def _maybe_fail(self) -> None:
        if self.failure is not None:
            raise client_error(self.failure)


@dataclass
class HealthImaging:
    """Import jobs by id; a client token starts one job only."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Error code by operation."""
    calls: list[str] = field(default_factory=list)
    vanished: set[str] = field(default_factory=set)
    searched: Callable[[], Any] = lambda: None
    """What else happens while jobs are listed."""
    started: Callable[[], Any] = lambda: None
    """What else happens while a job is being started."""

    def start_dicom_import_job(self, **request: Any) -> dict[str, str]:
        """A job, or the one that the token started."""
        self._call("StartDICOMImportJob")
        self.started()
        token = request["clientToken"]
        if token not in self.tokens:
            job_id = uuid4().hex
            self.tokens[token] = job_id
            folder = f"{request['outputS3Uri']}{request['datastoreId']}-DicomImport-{job_id}/"
            self.jobs[job_id] = {
                "jobId": job_id,
                "datastoreId": request["datastoreId"],
                "jobName": request["jobName"],
                "jobStatus": "SUBMITTED",
                "submittedAt": datetime.now(timezone.utc),
                "outputS3Uri": folder,
                "inputS3Uri": request.get("inputS3Uri", ""),
            }
        return {"jobId": self.tokens[token]}

    def end(self, job_id: str, status: str = "COMPLETED", ago: timedelta = timedelta(0)) -> None:
        """The job has ended."""
        self.jobs[job_id] |= {"jobStatus": status, "endedAt": datetime.now(timezone.utc) - ago}

    def get_dicom_import_job(self, *, datastoreId: str, jobId: str) -> dict[str, Any]:  # noqa: N803
        """Its properties."""
        self._call("GetDICOMImportJob")
        del datastoreId
        if jobId not in self.jobs or jobId in self.vanished:
            raise client_error("ResourceNotFoundException", "GetDICOMImportJob")
        return {"jobProperties": self.jobs[jobId]}

    def get_datastore(self, **_: Any) -> dict[str, Any]:
        """It is well."""
        self._call("GetDatastore")
        return {"datastoreProperties": {"datastoreStatus": "ACTIVE"}}

    def get_paginator(self, operation: str) -> HealthImaging:
        """Of ListDICOMImportJobs."""
        assert operation == "list_dicom_import_jobs"
        return self

    def paginate(self, *, datastoreId: str, jobStatus: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        """One page of the jobs in a status."""
        self._call("ListDICOMImportJobs")
        self.searched()
        del datastoreId
        yield {"jobSummaries": [job for job in self.jobs.values() if job["jobStatus"] == jobStatus]}

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.failures:
            raise client_error(self.failures[operation], operation)


@dataclass
class S3:
    """Objects by key, one bucket."""

    objects: dict[str, bytes] = field(default_factory=dict)
    failure: str | None = None
    written_at: datetime = MORNING
    refused: str = ""
    """A prefix that cannot be listed."""

    def put_series(self, announced: Announced) -> None:
        """Its manifest and its instances."""
        self.objects[str(announced.manifest_key)] = encode_manifest(announced.manifest()).body
        for key, size in announced.sizes().items():
            self.objects[key] = b"." * size

    def get_paginator(self, operation: str) -> S3:
        """Of ListObjectsV2."""
        assert operation == "list_objects_v2"
        return self

    def paginate(
        self,
        *,
        Bucket: str,  # noqa: N803 - boto3's names
        Prefix: str,  # noqa: N803
        Delimiter: str = "",  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        """One page; everything was written at `written_at`."""
        if self.refused and Prefix.startswith(self.refused):
            raise client_error("SlowDown", "ListObjectsV2")
        if Delimiter:
            yield self.list_objects_v2(Bucket=Bucket, Prefix=Prefix, Delimiter=Delimiter)
            return
        found = {key: body for key, body in sorted(self.objects.items()) if key.startswith(Prefix)}
        yield {
            "Contents": [
                {"Key": key, "Size": len(body), "LastModified": self.written_at}
                for key, body in found.items()
            ]
        }

    def put_results(
        self,
        job: dict[str, Any],
        imported: int,
        server_errors: int = 0,
        image_sets: Sequence[str] = (),
        **files: list[dict[str, Any]],
    ) -> None:
        """A job's manifest and, where given, its `success`, `failure` and `warning` lines."""
        prefix = job["outputS3Uri"].removeprefix("s3://").partition("/")[2]
        lines = {name: len(files.get(name, [])) for name in ("success", "failure")}
        summary = {
            "numberOfScannedFiles": max(imported, lines["success"]) + lines["failure"],
            "numberOfImportedFiles": imported,
            "numberOfFilesWithCustomerError": lines["failure"],
            "numberOfFilesWithServerError": server_errors,
            "imageSetsSummary": [{"imageSetId": name, "imageSetVersion": 1} for name in image_sets],
        }
        self.objects[f"{prefix}job-output-manifest.json"] = json.dumps({"jobSummary": summary}).encode()
        for name, content in files.items():
            body = "\n".join(json.dumps(line) for line in content).encode()
            self.objects[f"{prefix}{name.upper()}/{name}.ndjson"] = body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Its body, as a stream."""
        del Bucket
        if self.failure is not None:
            raise client_error(self.failure, "GetObject")
        if Key not in self.objects:
            raise client_error("NoSuchKey", "GetObject")
        body = self.objects[Key]
        return {"Body": StreamingBody(BytesIO(body), len(body))}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> dict[str, Any]:  # noqa: N803
        """Folders directly below a prefix."""
        del Bucket, Delimiter
        folders = {
            Prefix + key.removeprefix(Prefix).partition("/")[0] + "/"
            for key in self.objects
            if key.startswith(Prefix)
        }
        return {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}
