"""The audit: S3 against the index. S3 is the truth of what was uploaded, the index of what was seen.

Of imports that several series share it checks that the index divides them rightly.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.identifiers import UUID4
from dicom_ingest.contracts.keys import (
    MANIFESTS,
    KeyFormatError,
    ManifestKey,
    SeriesPrefix,
    parse_manifest_key,
)
from dicom_ingest.contracts.messages.steps import AuditFinding, AuditUploadsReply
from dicom_ingest.db.series import ledger, shares
from dicom_ingest.db.series.ledger import Accounted
from dicom_ingest.db.series.shares import Uneven
from dicom_ingest.db.server.connection import Database
from dicom_ingest.runtime.step import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERIES_FOLDERS = 4  # {edge}/{transfer}/{study}/{series}/
OBJECT_AGE = timedelta(days=1)
"""Objects younger than this may still belong to a series that is being received."""


AUDIT_SECONDS = 600
"""A night's audit looks for so long, of the function's 900 s."""
MOST_FINDINGS = 500
"""In a reply: Lambda's limit is 6 MB."""
LISTS_AT_ONCE = 16


def compare(
    database: Database,
    s3: S3Client,
    bucket: str,
    stack: str,
    days: int,
    now: datetime | None = None,
    seconds: float = AUDIT_SECONDS,
) -> AuditUploadsReply:
    """All differences of the last days, and of all transfers that the index has never heard of.

    Each finding is logged when it is found. When the time is over the rest is left to another night: the
    order is another one every day, so that nothing is left for ever.
    """
    now = now or datetime.now(timezone.utc)
    audit = _Audit(database, s3, bucket, days, now, time.monotonic() + seconds)
    edges = [name for name in _folders(s3, bucket, MANIFESTS) if name.startswith(f"{stack}-")]
    for edge in _of_the_day(edges, now):
        try:
            audit.edge(edge)
        except (ClientError, BotoCoreError) as error:
            # One edge that cannot be read hides no other; it counts as a difference, which rings.
            logger.error("edge not audited", edge=edge, error=str(error))
            audit.failed += 1
    if audit.not_looked_at:
        logger.warning("audit not complete", not_looked_at=audit.not_looked_at)
    return AuditUploadsReply(
        manifests=audit.manifests,
        findings=audit.findings[:MOST_FINDINGS],
        found=len(audit.findings) + audit.failed,
        not_looked_at=audit.not_looked_at,
    )


def _of_the_day(names: Iterable[str], now: datetime) -> list[str]:
    """Shuffled by the day: the same order all day long, another one tomorrow."""
    shuffled = sorted(names)
    Random(now.date().toordinal()).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    return shuffled


@dataclass
class _Audit:
    database: Database
    s3: S3Client
    bucket: str
    days: int
    now: datetime
    deadline: float
    manifests: int = 0
    findings: list[AuditFinding] = field(default_factory=list)
    not_looked_at: int = 0
    failed: int = 0

    def edge(self, edge: str) -> None:
        """Manifests of the last days without a row, shared imports, objects under the edge's transfers."""
        recent = list(self._manifests(edge))
        self.manifests += len(recent)
        with self.database.transaction() as connection:
            unseen = ledger.unseen(connection, recent)
            uneven = shares.uneven(connection, edge, self.days)
        self._found(_without_row(key) for key in unseen)
        self._found(_uneven(edge, shared) for shared in uneven)
        self._uploads(edge, {(key.transfer_id, key.series_instance_uid) for key in recent})

    def _manifests(self, edge: str) -> Iterator[ManifestKey]:
        for back in range(self.days + 1):
            day = (self.now.date() - timedelta(days=back)).isoformat()
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{MANIFESTS}{edge}/{day}/"
            )
            for entry in (entry for page in pages for entry in page.get("Contents", [])):
                try:
                    yield parse_manifest_key(entry["Key"])
                except KeyFormatError as error:
                    logger.error("not a manifest", error=str(error))

    def _uploads(self, edge: str, announced: set[tuple[str, str]]) -> None:
        """Series below an edge's transfers that the index does not know, or counts otherwise.

        Transfers that the index has known for longer were looked at while they were young.
        """
        transfers = [name for name in _folders(self.s3, self.bucket, f"{edge}/") if UUID4.fullmatch(name)]
        with self.database.transaction() as connection:
            unknown = ledger.unknown_transfers(connection, transfers)
            looked_at = unknown | (ledger.seen_lately(connection, edge, self.days) & set(transfers))
            known = ledger.accounted(connection, looked_at)
        waiting = _of_the_day(looked_at, self.now)
        with ThreadPoolExecutor(LISTS_AT_ONCE) as pool:
            while waiting and time.monotonic() < self.deadline:
                batch, waiting = waiting[:LISTS_AT_ONCE], waiting[LISTS_AT_ONCE:]
                prefixes = (f"{edge}/{transfer}/" for transfer in batch)
                for transfer, stored in zip(batch, pool.map(self._stored, prefixes), strict=True):
                    self._found(self._transfer(edge, transfer, stored, known.get(transfer, []), announced))
        self.not_looked_at += len(waiting)

    def _transfer(
        self,
        edge: str,
        transfer: str,
        stored: dict[str, list[datetime]],
        known: list[Accounted],
        announced: set[tuple[str, str]],
    ) -> Iterator[AuditFinding]:
        rows = {row.series_instance_uid: row for row in known}
        for prefix, objects in sorted(stored.items()):
            series = prefix.split("/")[3]
            row = rows.pop(series, None)
            if row is not None:
                yield from _count(edge, prefix, row, len(objects))
            elif (transfer, series) not in announced and min(objects) < self.now - OBJECT_AGE:
                yield _without_manifest(edge, prefix, objects)
        for row in rows.values():
            gone = SeriesPrefix(edge, transfer, row.study_instance_uid, row.series_instance_uid)
            yield from _count(edge, str(gone), row, 0)

    def _stored(self, prefix: str) -> dict[str, list[datetime]]:
        """When each object was written, by series prefix."""
        found: dict[str, list[datetime]] = {}
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for entry in (entry for page in pages for entry in page.get("Contents", [])):
            folder = entry["Key"].rpartition("/")[0] + "/"
            if folder.count("/") == SERIES_FOLDERS:
                found.setdefault(folder, []).append(entry["LastModified"])
        return found

    def _found(self, findings: Iterable[AuditFinding]) -> None:
        for finding in findings:
            logger.warning("audit finding", extra=finding.model_dump())
            self.findings.append(finding)


def _without_row(key: ManifestKey) -> AuditFinding:
    return AuditFinding(
        kind="manifest_without_row",
        edge=key.edge,
        subject=str(key),
        detail="the series was announced, but its event never reached the index",
        command=f"reprocess --manifest {key}",
    )


def _uneven(edge: str, shared: Uneven) -> AuditFinding:
    return AuditFinding(
        kind="shared_import_uneven",
        edge=edge,
        subject=f"import {shared.import_id}",
        detail=shared.words(),
        command=f"where {shared.import_id}",
    )


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
