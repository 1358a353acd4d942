"""The audit: S3 against the index. S3 is the truth of what was uploaded, the index of what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dicom_ingest.contracts.identifiers import UUID4
from dicom_ingest.contracts.keys import MANIFESTS, ManifestKey, SeriesPrefix, parse_manifest_key
from dicom_ingest.contracts.steps import AuditFinding, AuditUploadsReply
from dicom_ingest.db.series import ledger
from dicom_ingest.db.series.ledger import Accounted
from dicom_ingest.db.server.connection import Database

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERIES_FOLDERS = 4  # {edge}/{transfer}/{study}/{series}/
OBJECT_AGE = timedelta(days=1)
"""Objects younger than this may still belong to a series that is being received."""


def compare(
    database: Database, s3: S3Client, bucket: str, stack: str, days: int, now: datetime | None = None
) -> AuditUploadsReply:
    """All differences of the last days, and of all transfers that the index has never heard of."""
    now = now or datetime.now(timezone.utc)
    findings: list[AuditFinding] = []
    manifests = 0
    for edge in [name for name in _folders(s3, bucket, MANIFESTS) if name.startswith(f"{stack}-")]:
        recent = list(_manifests(s3, bucket, edge, days, now))
        manifests += len(recent)
        with database.transaction() as connection:
            unseen = ledger.unseen(connection, recent)
        findings += [_without_row(key) for key in unseen]
        announced = {(key.transfer_id, key.series_instance_uid) for key in recent}
        young = now - OBJECT_AGE
        findings += _uploads(database, s3, bucket, edge, days, announced, young)
    return AuditUploadsReply(manifests=manifests, findings=findings)


def _manifests(s3: S3Client, bucket: str, edge: str, days: int, now: datetime) -> Iterator[ManifestKey]:
    for back in range(days + 1):
        prefix = f"{MANIFESTS}{edge}/{(now.date() - timedelta(days=back)).isoformat()}/"
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


def _uploads(
    database: Database,
    s3: S3Client,
    bucket: str,
    edge: str,
    days: int,
    announced: set[tuple[str, str]],
    young: datetime,
) -> Iterator[AuditFinding]:
    """Series below an edge's transfers that the index does not know, or counts otherwise.

    Transfers that the index has known for longer were looked at while they were young.
    """
    transfers = [name for name in _folders(s3, bucket, f"{edge}/") if UUID4.fullmatch(name)]
    with database.transaction() as connection:
        unknown = ledger.unknown_transfers(connection, transfers)
        looked_at = sorted(unknown | (ledger.seen_lately(connection, edge, days) & set(transfers)))
        known = ledger.accounted(connection, looked_at)
    for transfer in looked_at:
        rows = {row.series_instance_uid: row for row in known.get(transfer, [])}
        stored = _stored(s3, bucket, f"{edge}/{transfer}/")
        for prefix, objects in sorted(stored.items()):
            row = rows.pop(prefix.split("/")[3], None)
            if row is not None:
                yield from _count(edge, prefix, row, len(objects))
            elif (transfer, prefix.split("/")[3]) not in announced and min(objects) < young:
                yield _without_manifest(edge, prefix, objects)
        for row in rows.values():
            gone = SeriesPrefix(edge, transfer, row.study_instance_uid, row.series_instance_uid)
            yield from _count(edge, str(gone), row, 0)


def _stored(s3: S3Client, bucket: str, prefix: str) -> dict[str, list[datetime]]:
    """When each object was written, by series prefix."""
    found: dict[str, list[datetime]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            folder = entry["Key"].rpartition("/")[0] + "/"
            if folder.count("/") == SERIES_FOLDERS:
                found.setdefault(folder, []).append(entry["LastModified"])
    return found


def _count(edge: str, prefix: str, row: Accounted, objects: int) -> Iterator[AuditFinding]:
    if row.over and objects != row.announced:
        yield AuditFinding(
            kind="counts_disagree",
            edge=edge,
            subject=prefix,
            detail=f"{row.announced} instances were announced, {objects} objects are in S3",
            command=f"reprocess --manifest {row.manifest_key} --replay-name reindex-audit",
        )


def _without_manifest(edge: str, prefix: str, objects: list[datetime]) -> AuditFinding:
    return AuditFinding(
        kind="objects_without_manifest",
        edge=edge,
        subject=prefix,
        detail=f"{len(objects)} objects since {min(objects).isoformat()}, never announced",
        command=f"reprocess --prefix {prefix}",
    )


def _folders(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    names: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        names += [
            entry["Prefix"].removeprefix(prefix).rstrip("/") for entry in page.get("CommonPrefixes", [])
        ]
    return names
