"""StartDICOMImportJob: every check a start can fail, then a job in the background."""

from __future__ import annotations

import json
import uuid

from botocore.exceptions import ClientError

from . import errors
from .core import Answer, Core, Request
from .datastores import require_active
from .jobs import announce
from .run_import import launch
from .tokens import Token, earlier_answer, remember
from .uris import S3Location


def start_dicom_import_job(core: Core, request: Request) -> Answer:
    """Submits an import; raises 404, 409 (store not ACTIVE, token mismatch) or 402 (running imports)."""
    datastore_id = require_active(core, request["datastoreId"])["id"]
    _check_buckets(core, request)
    token = Token.of(f"StartDICOMImportJob {datastore_id}", request)
    with core.store.transaction() as db:
        if (earlier := earlier_answer(core, db, token)) is not None:
            return earlier
        running = db.execute(
            "SELECT count(*) FROM job WHERE datastore_id = ? AND ended_at IS NULL", (datastore_id,)
        ).fetchone()[0]
        limit = core.settings.limits.concurrent_import_jobs
        if running >= limit:
            raise errors.quota_exceeded(
                f"The quota of {limit} concurrent import jobs per data store is used up"
            )
        job_id = uuid.uuid4().hex
        now = core.clock.now()
        folder = S3Location.parse(request["outputS3Uri"]).folder(f"{datastore_id}-DicomImport-{job_id}")
        configuration = request.get("importConfiguration")
        db.execute(
            "INSERT INTO job (id, datastore_id, name, status, role_arn, input_uri, output_uri,"
            " sent_output_uri, configuration, submitted_at) VALUES (?, ?, ?, 'SUBMITTED', ?, ?, ?, ?, ?, ?)",
            (
                job_id,
                datastore_id,
                request.get("jobName", job_id),
                request["dataAccessRoleArn"],
                request["inputS3Uri"],
                str(folder),
                request["outputS3Uri"],
                json.dumps(configuration) if configuration else None,
                now,
            ),
        )
        answer: Answer = {
            "datastoreId": datastore_id,
            "jobId": job_id,
            "jobStatus": "SUBMITTED",
            "submittedAt": now,
        }
        remember(core, db, token, answer)
    announce(core, job_id, "Import Job Submitted")
    launch(core, job_id)
    return answer


def _check_buckets(core: Core, request: Request) -> None:
    if core.settings.behaviour.missing_bucket != "validation":
        return
    for member in ("inputS3Uri", "outputS3Uri"):
        bucket = S3Location.parse(request[member]).bucket
        try:
            core.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            raise errors.validation(f"The bucket {bucket} of {member} cannot be accessed") from error
