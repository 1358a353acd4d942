"""StartDICOMImportJob: every check a start can fail, then a job in the background."""

from __future__ import annotations

import json
import sqlite3
import uuid

from botocore.exceptions import ClientError

from ..datastores.datastores import require_active
from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.tokens import Token, earlier_answer, remember
from ..state.uris import S3Location
from .jobs import announce
from .run_import import launch


def start_dicom_import_job(core: Core, request: Request) -> Answer:
    """Submits an import; raises 404, 409 (store not ACTIVE, token mismatch) or 402 (running imports)."""
    datastore_id = require_active(core, request["datastoreId"])["id"]
    _check_buckets(core, request)
    token = Token.of(f"StartDICOMImportJob {datastore_id}", request)
    with core.store.transaction() as db:
        if (earlier := earlier_answer(core, db, token)) is not None:
            return earlier
        _check_quota(core, db, datastore_id)
        answer = _insert(db, datastore_id, request, core.clock.now())
        remember(core, db, token, answer)
    announce(core, answer["jobId"], "Import Job Submitted")
    launch(core, answer["jobId"])
    return answer


def _check_quota(core: Core, db: sqlite3.Connection, datastore_id: str) -> None:
    running = db.execute(
        "SELECT count(*) FROM job WHERE datastore_id = ? AND ended_at IS NULL", (datastore_id,)
    ).fetchone()[0]
    limit = core.settings.limits.concurrent_import_jobs
    if running >= limit:
        raise errors.quota_exceeded(f"The quota of {limit} concurrent import jobs per data store is used up")


def _insert(db: sqlite3.Connection, datastore_id: str, request: Request, now: float) -> Answer:
    job_id = uuid.uuid4().hex
    folder = S3Location.parse(request["outputS3Uri"]).folder(f"{datastore_id}-DicomImport-{job_id}")
    configuration = request.get("importConfiguration")
    values = {
        "id": job_id,
        "datastore_id": datastore_id,
        "name": request.get("jobName"),
        "role_arn": request["dataAccessRoleArn"],
        "input_uri": request["inputS3Uri"],
        "output_uri": str(folder),
        "sent_output_uri": request["outputS3Uri"],
        "configuration": json.dumps(configuration) if configuration else None,
        "submitted_at": now,
    }
    db.execute(
        "INSERT INTO job (id, datastore_id, name, status, role_arn, input_uri, output_uri, sent_output_uri,"
        " configuration, submitted_at) VALUES (:id, :datastore_id, :name, 'SUBMITTED', :role_arn,"
        " :input_uri, :output_uri, :sent_output_uri, :configuration, :submitted_at)",
        values,
    )
    return {"datastoreId": datastore_id, "jobId": job_id, "jobStatus": "SUBMITTED", "submittedAt": now}


def _check_buckets(core: Core, request: Request) -> None:
    if core.settings.behaviour.missing_bucket != "validation":
        return
    for member in ("inputS3Uri", "outputS3Uri"):
        bucket = S3Location.parse(request[member]).bucket
        try:
            core.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            raise errors.validation(f"The bucket {bucket} of {member} cannot be accessed") from error
