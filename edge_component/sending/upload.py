"""One instance on its way to S3: what is known of it, how it is sent, and why it could not be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.keys import SeriesPrefix
from edge_component.sending.answers import RefusedError, UnreadableError, code, refuses_the_object
from edge_component.sending.objects import ChecksumError, FilePut, MultipartUpload, put_file
from edge_component.sending.verified import VerifiedFile, unreadable
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

DIFFERENT_CHECKSUM = "S3 answered with another checksum"


@dataclass(frozen=True)
class Upload:
    """One instance on its way to its key."""

    instance: int
    file: str
    bytes: int
    file_sha256: str
    upload_id: str | None
    problem: str | None
    prefix: SeriesPrefix
    sop_instance_uid: str

    @property
    def key(self) -> str:
        """Where it goes."""
        return self.prefix.instance(self.sop_instance_uid)


def oldest_assigned(journal: sqlite3.Connection, edge: str, limit: int) -> list[Upload]:
    """What has a place in a transfer and is not in S3, oldest first."""
    return [_upload(edge, row) for row in journal.execute(OLDEST_ASSIGNED, (limit,)).fetchall()]


def send(
    upload: Upload,
    spool: Spool,
    settings: Settings,
    s3: Any,
    how: FilePut,
    remember: Callable[[str], None],
) -> None:
    """The file as it was received, or not at all.

    Raises:
        UnreadableError, ChecksumError, RefusedError, botocore's errors.
    """
    if upload.problem == DIFFERENT_CHECKSUM:  # the object is there, cannot be overwritten, and is not ours
        raise ChecksumError(upload.key)
    try:
        stream = spool.read(upload.file, upload.bytes)
    except OSError as error:
        raise unreadable(error) from error
    with stream:
        file = VerifiedFile(stream, upload.bytes, upload.file_sha256)
        if upload.bytes > settings.multipart_bytes:
            multipart = MultipartUpload(s3, settings.bucket, upload.key, settings.multipart_bytes)
            multipart.run(file.verified(), upload.upload_id, remember)
        else:
            put_file(how, settings.bucket, upload.key, file)


def problem_of(error: BaseException) -> str | None:
    """Why this object, and not the service, is at fault."""
    if isinstance(error, (UnreadableError, RefusedError)):
        return str(error)
    if isinstance(error, ChecksumError):
        return DIFFERENT_CHECKSUM
    if refuses_the_object(error):
        return f"refused by S3: {code(error)}"
    return None


def _upload(edge: str, row: sqlite3.Row) -> Upload:
    prefix = SeriesPrefix(edge, row["transfer_id"], row["study_instance_uid"], row["series_instance_uid"])
    return Upload(
        row["instance"],
        row["file"],
        row["bytes"],
        row["file_sha256"],
        row["upload_id"],
        row["problem"],
        prefix,
        row["sop_instance_uid"],
    )


OLDEST_ASSIGNED = """
SELECT i.instance, i.file, i.bytes, i.file_sha256, i.upload_id, i.problem, i.sop_instance_uid,
       t.transfer_id, t.study_instance_uid, t.series_instance_uid
  FROM instance i JOIN series_transfer t USING (sequence)
 WHERE i.state = 'assigned' ORDER BY i.instance LIMIT ?
"""
