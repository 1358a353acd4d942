"""The custody document of a study: of every instance who sent it, when, its hashes, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dicom_ingest.contracts.messages.manifest import (
    ManifestFormatError,
    ManifestInstance,
    ManifestStream,
    MissingInstance,
    stream_manifest,
)
from dicom_ingest.operators.read.custody import transfers, verdicts
from dicom_ingest.operators.read.index import Index, Row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INTACT = "intact"
KNOWN = (
    "verdict", "message", "warning_code", "datastore_id", "image_set_id", "image_set_version", "is_primary",
    "imported_at",
)  # fmt: skip


@dataclass(frozen=True)
class _Stored:
    """An object in S3."""

    bytes: int
    at: datetime


def custody(index: Index, s3: S3Client, study: str) -> list[Row]:
    """A row per series transfer of the study, each with its `instances`; empty: the index does not know it.

    `manifest`: INTACT, or what is wrong with it; then its instances are those that the index knows.
    """
    return [_transfer(index, s3, row) for row in transfers(index, study)]


def _transfer(index: Index, s3: S3Client, row: Row) -> Row:
    bucket, prefix, pk = row.pop("bucket"), row.pop("prefix"), row.pop("pk")
    state, manifest = _manifest(s3, bucket, row)
    known = verdicts(index, pk)
    if manifest is None:
        instances = [dict(one) for one in known.values()]
        return {**row, "manifest": state, "chain": None, "instances": instances}
    stored = dict(_listed(s3, bucket, prefix))
    try:
        instances = [_instance(record, stored, known) for record in manifest.records]
    except ManifestFormatError as error:
        return {**row, "manifest": str(error), "chain": None, "instances": []}
    chain = manifest.transfer.chain
    said = {"manifest": state, "chain": chain.model_dump(mode="json") if chain else None}
    return {**row, **said, "instances": instances}


def _manifest(s3: S3Client, bucket: str, row: Row) -> tuple[str, ManifestStream | None]:
    try:
        body = s3.get_object(Bucket=bucket, Key=row["manifest_key"])["Body"].read()
        return INTACT, stream_manifest(body, row["manifest_sha256"])
    except ManifestFormatError as error:
        return f"altered: {error}", None
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return "absent: it is not in S3", None


def _listed(s3: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, _Stored]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"], _Stored(entry["Size"], entry["LastModified"])


def _instance(
    record: ManifestInstance | MissingInstance, stored: dict[str, _Stored], known: dict[str, Row]
) -> Row:
    verdict = known.get(record.sop_instance_uid, {})
    became = {name: verdict.get(name) for name in KNOWN}
    if isinstance(record, MissingInstance):
        return {
            "sop_instance_uid": record.sop_instance_uid,
            "received_at": record.received_at,
            "not_sent": record.reason,
            **became,
        }
    found = stored.get(record.key)
    return {**_received(record), **_kept(record, found), **became}


def _received(record: ManifestInstance) -> dict[str, Any]:
    """Who sent it, and what was acknowledged: it was answered 0x0000 as soon as it was on the disk."""
    return {
        "sop_instance_uid": record.sop_instance_uid,
        "sop_class_uid": record.sop_class_uid,
        "calling_ae": record.calling_ae,
        "called_ae": record.called_ae,
        "peer": record.peer,
        "received_at": record.received_at,
        "transfer_syntax_uid": record.transfer_syntax_uid,
        "bytes": record.bytes,
        "file_sha256": record.file_sha256,
        "dataset_sha256": record.dataset_sha256,
        "foretold": [about.model_dump(exclude_none=True) for about in record.foretold],
    }


def _kept(record: ManifestInstance, found: _Stored | None) -> dict[str, Any]:
    """The object in S3: what the manifest says of it, and what S3 lists."""
    size = record.stored_bytes
    if found is None:
        state = "absent"
    else:
        state = "stored" if found.bytes == size else f"{found.bytes} bytes instead of {size}"
    return {
        "key": record.key,
        "stored_transfer_syntax_uid": (
            record.stored.transfer_syntax_uid if record.stored else record.transfer_syntax_uid
        ),
        "stored_bytes": size,
        "stored_sha256": record.stored_sha256,
        "stored_at": found.at if found else None,
        "object": state,
    }
