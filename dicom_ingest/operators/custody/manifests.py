"""The manifests of an edge as they are in S3: listed, read, hashed; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dicom_ingest.contracts.keys import MANIFESTS, KeyFormatError, ManifestKey, parse_manifest_key
from dicom_ingest.contracts.messages.manifest import (
    ManifestFormatError,
    ManifestLink,
    ManifestStream,
    stream_manifest,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 16
"""GETs at a time."""
AT_ONCE = 1000
"""Keys whose reading is asked for: a chain of years is long."""


@dataclass(frozen=True)
class Found:
    """A manifest in S3. `sha256`: of its lines; `link`: its place in the chain, if it has one.

    `trouble`: why it cannot be read, or is not what its key says.
    """

    key: str
    stored_at: datetime
    sealed_on: date | None
    sha256: str = ""
    link: ManifestLink | None = None
    trouble: str | None = None


def edges_of(s3: S3Client, bucket: str, stack: str) -> list[str]:
    """The edges of a stack that have manifests in the bucket."""
    prefix = f"{MANIFESTS}{stack}-"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [
        str(found["Prefix"]).removeprefix(MANIFESTS).rstrip("/")
        for page in pages
        for found in page.get("CommonPrefixes", [])
    ]


def manifests_of(s3: S3Client, bucket: str, edge: str, since: date | None = None) -> Iterator[Found]:
    """All manifests of an edge that were sealed on this day or later."""
    listed = _listed(s3, bucket, f"{MANIFESTS}{edge}/", since)
    with ThreadPoolExecutor(READERS) as readers:
        while some := list(islice(listed, AT_ONCE)):
            yield from readers.map(lambda one: _read(s3, bucket, *one), some)


def _listed(s3: S3Client, bucket: str, prefix: str, since: date | None) -> Iterator[tuple[str, datetime]]:
    # Keys are in the order of their days: what is before `since` is not listed.
    after = f"{prefix}{since.isoformat()}" if since else ""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)
    for page in pages:
        for entry in page.get("Contents", []):
            yield entry["Key"], entry["LastModified"]


def _read(s3: S3Client, bucket: str, key: str, stored_at: datetime) -> Found:
    try:
        parsed = parse_manifest_key(key)
    except KeyFormatError:
        return Found(key, stored_at, None, trouble="its key is not one of an edge")
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        stream = stream_manifest(body)
    except ManifestFormatError as error:
        return Found(key, stored_at, parsed.sealed_on, trouble=str(error))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return Found(key, stored_at, parsed.sealed_on, trouble="removed while it was read")
    trouble = None if _is_about(stream, parsed) else "its content is that of another series transfer"
    return Found(key, stored_at, parsed.sealed_on, stream.sha256, stream.transfer.chain, trouble)


def _is_about(stream: ManifestStream, key: ManifestKey) -> bool:
    said = stream.transfer
    return (said.edge, said.transfer_id, said.series_instance_uid, said.sealed_at.date()) == (
        key.edge,
        key.transfer_id,
        key.series_instance_uid,
        key.sealed_on,
    )


def expired_before(s3: S3Client, bucket: str, edge: str, today: date) -> date | None:
    """Manifests of an edge sealed before this day may have expired by a lifecycle rule of the bucket.

    None: by none. A rule for tagged objects takes none: manifests have no tags.

    The stack makes no such rule: manifests live as long as their objects.
    """
    try:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        return None
    concerned = [rule for rule in rules if rule.get("Status") == "Enabled" and _concerns(dict(rule), edge)]
    days = [days for rule in concerned if (days := rule.get("Expiration", {}).get("Days"))]
    return today - timedelta(days=min(days)) if days else None


def _concerns(rule: dict[str, Any], edge: str) -> bool:
    """Whether a rule may take manifests of this edge."""
    narrowed = rule.get("Filter") or {}
    both = {**narrowed, **narrowed.get("And", {})}
    if "Tag" in both or "Tags" in both:
        return False
    prefix, manifests = both.get("Prefix", rule.get("Prefix", "")), f"{MANIFESTS}{edge}/"
    return prefix.startswith(manifests) or manifests.startswith(prefix)
