"""What an edge has put into the bucket: manifests, and the objects below a prefix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dicom_ingest.contracts.keys import ManifestKey, SeriesPrefix
from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.manifest import (
    ManifestFormatError,
    ManifestInstance,
    ManifestRecord,
    ManifestStream,
    stream_manifest,
)
from dicom_ingest.db.index.rows import Objects
from dicom_ingest.errors import EventRejectedError, ManifestRejectedError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def check_event(event: SeriesComplete, stack: str, bucket: str) -> None:
    """Believe an event no further than it must be: every key is rebuilt from its parts.

    Raises:
        EventRejectedError: another bucket, another stack's edge, or keys that are not the edge's own.
    """
    prefix = SeriesPrefix(event.edge, event.transfer_id, event.study_instance_uid, event.series_instance_uid)
    manifest_key = ManifestKey(
        event.edge, event.sealed_at.date(), event.transfer_id, event.series_instance_uid
    )
    expected = {"bucket": bucket, "prefix": str(prefix), "manifest_key": str(manifest_key)}
    for name, allowed in expected.items():
        found = getattr(event, name)
        if found != allowed:
            raise EventRejectedError(f"{name} is {found!r}, allowed is {allowed!r}")
    if not event.edge.startswith(f"{stack}-"):
        raise EventRejectedError(f"edge {event.edge!r} is not one of stack {stack!r}")


def read_manifest(s3: S3Client, event: SeriesComplete) -> ManifestStream:
    """The manifest that the event announced; its lines are checked as they are read.

    Raises:
        ManifestRejectedError: it is missing, altered, malformed, or speaks of something else.
    """
    with _rejecting(event):
        body = s3.get_object(Bucket=event.bucket, Key=event.manifest_key)["Body"].read()
        manifest = stream_manifest(body, event.manifest_sha256)
    transfer = manifest.transfer
    found = (transfer.transfer_id, transfer.series_instance_uid, transfer.study_instance_uid, transfer.edge)
    announced = (event.transfer_id, event.series_instance_uid, event.study_instance_uid, event.edge)
    if found != announced:
        raise ManifestRejectedError(f"{event.manifest_key} is about {found}, announced was {announced}")
    return ManifestStream(transfer, _own(manifest.records, event))


def _own(records: Iterator[ManifestRecord], event: SeriesComplete) -> Iterator[ManifestRecord]:
    with _rejecting(event):
        for record in records:
            if isinstance(record, ManifestInstance) and not record.key.startswith(event.prefix):
                raise ManifestRejectedError(f"{event.manifest_key} names {record.key!r} outside its prefix")
            yield record


@contextmanager
def _rejecting(event: SeriesComplete) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise ManifestRejectedError(f"{event.manifest_key} is not in {event.bucket}") from error
        raise
    except ManifestFormatError as error:
        raise ManifestRejectedError(f"{event.manifest_key}: {error}") from error


def list_objects(s3: S3Client, bucket: str, prefix: str) -> Objects:
    """All objects below a prefix with their sizes: one LIST per 1,000."""
    sizes: dict[str, int] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        sizes.update({entry["Key"]: entry["Size"] for entry in page.get("Contents", [])})
    return Objects(sizes)
