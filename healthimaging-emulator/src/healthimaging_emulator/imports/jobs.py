"""GetDICOMImportJob, ListDICOMImportJobs, and the events of a job."""

from __future__ import annotations

import json

from ..datastores.datastores import find
from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.paging import page
from ..state.store import Row

LISTED_SECONDS = 90 * 24 * 3600
"""How long an ended job stays listed (developer guide, "Understanding import jobs")."""


def get_dicom_import_job(core: Core, request: Request) -> Answer:
    """One job's properties; its outputS3Uri is the job's own folder."""
    find(core, request["datastoreId"])
    row = core.store.one("SELECT * FROM job WHERE id = ?", request["jobId"])
    if row is None or row["datastore_id"] != request["datastoreId"]:
        raise errors.not_found(f"Import job {request['jobId']} does not exist")
    properties = _summary(row) | {"inputS3Uri": row["input_uri"], "outputS3Uri": row["output_uri"]}
    if row["configuration"]:
        properties["importConfiguration"] = json.loads(row["configuration"])
    return {"jobProperties": properties}


def list_dicom_import_jobs(core: Core, request: Request) -> Answer:
    """The data store's jobs of the last 90 days, or those in one status."""
    find(core, request["datastoreId"])
    status = request.get("jobStatus")
    direction = -1 if core.settings.behaviour.list_jobs == "newest_first" else 1

    def fetch(limit: int, offset: int) -> list[Row]:
        return core.store.all(
            "SELECT * FROM job WHERE datastore_id = ? AND (? IS NULL OR status = ?)"
            " AND coalesce(ended_at, ?) > ? ORDER BY seq * ? LIMIT ? OFFSET ?",
            request["datastoreId"],
            status,
            status,
            core.clock.now(),
            core.clock.now() - LISTED_SECONDS,
            direction,
            limit,
            offset,
        )

    return page(request, "jobSummaries", fetch, _summary)


def require(core: Core, job_id: str) -> Row:
    """The row of a job that is known to exist."""
    row = core.store.one("SELECT * FROM job WHERE id = ?", job_id)
    if row is None:
        raise LookupError(f"job {job_id} is unknown")
    return row


def announce(core: Core, job_id: str, detail_type: str) -> None:
    """The event of a job's new status."""
    row = require(core, job_id)
    as_sent = core.settings.behaviour.event_output_uri == "as_sent"
    detail = {
        "datastoreId": row["datastore_id"],
        "jobId": job_id,
        "jobName": row["name"],
        "jobStatus": row["status"],
        "inputS3Uri": row["input_uri"],
        "outputS3Uri": row["sent_output_uri"] if as_sent else row["output_uri"],
    }
    core.events.put(detail_type, core.datastore_arn(row["datastore_id"]), core.clock.now(), detail)


def _summary(row: Row) -> Answer:
    """Null for a name that was not given and for a message that there is not: seen on the wire."""
    summary = {
        "jobId": row["id"],
        "jobName": row["name"],
        "jobStatus": row["status"],
        "datastoreId": row["datastore_id"],
        "dataAccessRoleArn": row["role_arn"],
        "submittedAt": row["submitted_at"],
        "message": row["message"],
    }
    return summary if row["ended_at"] is None else summary | {"endedAt": row["ended_at"]}
