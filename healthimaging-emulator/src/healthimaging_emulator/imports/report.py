"""What an import leaves in its output folder (developer guide, "Understanding import jobs").

job-output-manifest.json, SUCCESS/success.ndjson, FAILURE/failure.ndjson, WARNING/warning.ndjson.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any

from ..state.blobs import drop_unused
from ..state.core import Core
from ..state.store import Row
from ..state.uris import S3Location

_PAGE = 500


def write_report(core: Core, job: Row) -> None:
    """Writes the output from what is staged, then forgets it."""
    folder = S3Location.parse(job["output_uri"])
    success = _pages(core, "SELECT * FROM staged WHERE job_id = ? AND key > ?", job["id"])
    failure = _pages(core, "SELECT * FROM refused WHERE job_id = ? AND key > ?", job["id"])
    warning = _pages(
        core, "SELECT * FROM staged WHERE job_id = ? AND key > ? AND warnings <> '[]'", job["id"]
    )
    _write_lines(core, folder, "SUCCESS/success.ndjson", (_success(row) for row in success))
    _write_lines(core, folder, "FAILURE/failure.ndjson", (_failure(row) for row in failure))
    _write_lines(core, folder, "WARNING/warning.ndjson", (_warning(row) for row in warning))
    manifest = json.dumps({"jobSummary": _summary(core, job)}).encode()
    core.s3.put_object(
        Bucket=folder.bucket, Key=f"{folder.key}job-output-manifest.json", Body=manifest,
        ContentType="application/json",
    )  # fmt: skip
    forget_staged(core, job["id"])


def forget_staged(core: Core, job_id: str) -> None:
    """Removes what a job has read so far, with the frames that no image set took over."""
    unused = core.store.all(
        "SELECT blob FROM staged s WHERE job_id = ? AND blob NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.blob = s.blob)",
        job_id,
    )
    core.store.execute("DELETE FROM staged WHERE job_id = ?", job_id)
    core.store.execute("DELETE FROM refused WHERE job_id = ?", job_id)
    drop_unused(core, [row["blob"] for row in unused])


def _pages(core: Core, select: str, job_id: str) -> Iterator[Row]:
    last = ""
    while rows := core.store.all(f"{select} ORDER BY key LIMIT {_PAGE}", job_id, last):
        yield from rows
        last = rows[-1]["key"]


def _write_lines(core: Core, folder: S3Location, name: str, lines: Iterator[dict[str, Any]]) -> None:
    with tempfile.TemporaryFile() as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        if file.tell() or core.settings.behaviour.write_empty_outputs:
            file.seek(0)
            core.s3.put_object(Bucket=folder.bucket, Key=folder.key + name, Body=file)


def _response(row: Row) -> dict[str, Any]:
    return {
        "imageSetId": row["image_set_id"],
        "imageSetVersion": row["image_set_version"],
        "isPrimary": bool(row["is_primary"]),
    }


def _success(row: Row) -> dict[str, Any]:
    return {"inputFile": row["key"], "importResponse": _response(row)}


def _warning(row: Row) -> dict[str, Any]:
    return {
        "inputFile": row["key"],
        "importResponse": _response(row) | {"warnings": json.loads(row["warnings"])},
    }


def _failure(row: Row) -> dict[str, Any]:
    exception = {"exceptionType": row["exception_type"], "message": row["message"]}
    return {"inputFile": row["key"], "exception": exception}


def _summary(core: Core, job: Row) -> dict[str, Any]:
    def count(table: str, condition: str = "") -> int:
        return core.store.count(f"SELECT count(*) FROM {table} WHERE job_id = ? {condition}", job["id"])  # noqa: S608

    imported = count("staged")
    server_errors = count("refused", "AND exception_type = 'InternalServerException'")
    refused = count("refused")
    image_sets = core.store.all(
        "SELECT image_set_id, image_set_version, is_primary, count(DISTINCT sop_uid) AS matched FROM staged"
        " WHERE job_id = ? GROUP BY image_set_id ORDER BY min(key)",
        job["id"],
    )
    return {
        "jobId": job["id"],
        "datastoreId": job["datastore_id"],
        "inputS3Uri": job["input_uri"],
        "outputS3Uri": job["output_uri"],
        "successOutputS3Uri": f"{job['output_uri']}SUCCESS/",
        "failureOutputS3Uri": f"{job['output_uri']}FAILURE/",
        "warningsOutputS3Uri": f"{job['output_uri']}WARNING/",
        "numberOfScannedFiles": imported + refused,
        "numberOfImportedFiles": imported,
        "numberOfFilesWithCustomerError": refused - server_errors,
        "numberOfFilesWithServerError": server_errors,
        "numberOfGeneratedImageSets": len(image_sets),
        "imageSetsSummary": [
            _response(row) | {"numberOfMatchedSOPInstances": row["matched"]} for row in image_sets
        ],
    }
