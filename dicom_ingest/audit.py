"""The audit: S3 against the index. S3 is the truth of what was uploaded, the index of what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dicom_ingest.contracts.identifiers import UUID4
from dicom_ingest.contracts.keys import MANIFESTS, ManifestKey, parse_manifest_key
from dicom_ingest.contracts.steps import AuditFinding, AuditUploadsReply
from dicom_ingest.db import ledger
from dicom_ingest.db.connection import Database

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OBJECT_AGE = timedelta(days=1)
"""Objects younger than this may still belong to a series that is being received."""


def compare(database: Database, s3: S3Client, bucket: str, stack: str, days: int) -> AuditUploadsReply:
    """All differences of the last days' manifests, and of all transfers that have no manifest at all."""
    findings: list[AuditFinding] = []
    manifests = 0
    for edge in [name for name in _folders(s3, bucket, MANIFESTS) if name.startswith(f"{stack}-")]:
        recent = list(_manifests(s3, bucket, edge, days))
        manifests += len(recent)
        with database.transaction() as connection:
            unseen = ledger.unseen(connection, recent)
        findings += [_without_row(key) for key in unseen]
        findings += _objects_without_manifest(database, s3, bucket, edge)
    return AuditUploadsReply(manifests=manifests, findings=findings)


def _manifests(s3: S3Client, bucket: str, edge: str, days: int) -> Iterator[ManifestKey]:
    today = datetime.now(timezone.utc).date()
    for back in range(days + 1):
        prefix = f"{MANIFESTS}{edge}/{(today - timedelta(days=back)).isoformat()}/"
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield parse_manifest_key(entry["Key"])


def _without_row(key: ManifestKey) -> AuditFinding:
    return AuditFinding(
        kind="manifest_without_row",
        edge=key.edge,
        subject=str(key),
        detail="the series was announced, but its event never reached the index",
        command=f"reprocess --manifest {key}",
    )


def _objects_without_manifest(
    database: Database, s3: S3Client, bucket: str, edge: str
) -> Iterator[AuditFinding]:
    transfers = [name for name in _folders(s3, bucket, f"{edge}/") if UUID4.fullmatch(name)]
    with database.transaction() as connection:
        unknown = ledger.unknown_transfers(connection, transfers)
    for transfer in sorted(unknown):
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{edge}/{transfer}/", MaxKeys=1)
        first = next(iter(listed.get("Contents", [])), None)
        if first is not None and first["LastModified"] < datetime.now(timezone.utc) - OBJECT_AGE:
            yield AuditFinding(
                kind="objects_without_manifest",
                edge=edge,
                subject=f"{edge}/{transfer}/",
                detail=f"objects since {first['LastModified'].isoformat()}, but no series of it was indexed",
                command=f"reprocess --prefix {edge}/{transfer}/",
            )


def _folders(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    names: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        names += [
            entry["Prefix"].removeprefix(prefix).rstrip("/") for entry in page.get("CommonPrefixes", [])
        ]
    return names
