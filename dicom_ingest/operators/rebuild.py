"""A manifest for objects that have none: their headers are read by ranged GETs, in parallel.

What the edge knew and S3 does not (who sent it, its place in the order) is said as unknown; the hash of the
file takes the place of that of the data set, so that at worst an instance is imported again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.keys import KeyFormatError, ManifestKey, SeriesPrefix, parse_instance_key
from dicom_ingest.contracts.messages.manifest import Manifest, ManifestInstance, ManifestTransfer
from dicom_ingest.contracts.uids import uid_findings
from dicom_ingest.errors import ManifestRejectedError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FIRST_BYTES = 64 * 1024
AT_ONCE = 16
UNKNOWN_AE = "UNKNOWN"
LAST = max(Tag(int(attribute.tag, 16)) for attribute in ATTRIBUTES)


@dataclass(frozen=True)
class Stored:
    """An object of the bucket."""

    key: str
    size: int
    last_modified: datetime


def rebuild(s3: S3Client, bucket: str, stack: str, prefix: SeriesPrefix) -> tuple[ManifestKey, Manifest]:
    """The manifest of the objects under a series transfer's prefix, and its key.

    Raises:
        ManifestRejectedError: there are no objects, or one is not an instance of the edge's.
    """
    stored = list(_listed(s3, bucket, str(prefix)))
    if not stored:
        raise ManifestRejectedError(f"no objects under {prefix}")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        instances = list(threads.map(lambda each: _instance(s3, bucket, each), stored))
    times = [each.last_modified for each in stored]
    transfer = ManifestTransfer(
        stack=stack,
        edge=prefix.edge,
        transfer_id=prefix.transfer_id,
        correlation_id=f"{prefix.transfer_id}/{prefix.series_instance_uid}",
        sequence=int(min(times).timestamp()),  # as an edge counts that has lost its journal
        study_instance_uid=prefix.study_instance_uid,
        series_instance_uid=prefix.series_instance_uid,
        modality=next(filter(None, (_modality(instance) for instance in instances)), None),
        priority="bulk",
        instance_count=len(instances),
        total_bytes=sum(instance.bytes for instance in instances),
        first_received_at=min(times),
        last_received_at=max(times),
        sealed_at=datetime.now(timezone.utc),
        seal_reason="drain",
        calling_aes=[UNKNOWN_AE],
        called_aes=[UNKNOWN_AE],
    )
    key = ManifestKey(prefix.edge, transfer.sealed_at.date(), prefix.transfer_id, prefix.series_instance_uid)
    return key, Manifest(transfer, instances)


def _listed(s3: S3Client, bucket: str, prefix: str) -> Iterable[Stored]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield Stored(entry["Key"], entry["Size"], entry["LastModified"])


def _instance(s3: S3Client, bucket: str, stored: Stored) -> ManifestInstance:
    try:
        uid = parse_instance_key(stored.key).sop_instance_uid
    except KeyFormatError as error:
        raise ManifestRejectedError(str(error)) from error
    ds, syntax = _header(s3, bucket, stored)
    digest = _sha256(s3, bucket, stored.key)
    return ManifestInstance(
        sop_instance_uid=uid,
        sop_class_uid=str(ds.SOPClassUID),
        transfer_syntax_uid=syntax,
        key=stored.key,
        bytes=stored.size,
        file_sha256=digest,
        dataset_sha256=digest,
        received_at=stored.last_modified,
        calling_ae=UNKNOWN_AE,
        called_ae=UNKNOWN_AE,
        uid_findings=[f"SOPInstanceUID: {finding}" for finding in uid_findings(uid)],
        attributes=_attributes(ds),
    )


def _header(s3: S3Client, bucket: str, stored: Stored) -> tuple[Dataset, str]:
    """Everything up to the last indexed attribute; more is fetched while that is not reached."""
    length = FIRST_BYTES
    while True:
        answer = s3.get_object(Bucket=bucket, Key=stored.key, Range=f"bytes=0-{length - 1}")
        reached = length >= stored.size

        def stop(tag: BaseTag, _vr: str | None, _length: int) -> bool:
            nonlocal reached
            reached = reached or tag > LAST
            return bool(tag > LAST)

        try:
            ds = read_partial(BytesIO(answer["Body"].read()), stop_when=stop)
        except EOFError:
            reached = False
        if reached:
            return ds, str(ds.file_meta.TransferSyntaxUID)
        if length >= stored.size:
            raise ManifestRejectedError(f"{stored.key} cannot be read as DICOM")
        length *= 4


def _sha256(s3: S3Client, bucket: str, key: str) -> str:
    """The checksum that S3 has kept from the upload; the whole object is read where there is none."""
    kept = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256", "")
    if kept and "-" not in kept:  # a composite of parts is not the file's
        return base64.b64decode(kept).hex()
    digest = hashlib.sha256()
    for piece in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1024 * 1024):
        digest.update(piece)
    return digest.hexdigest()


def _attributes(ds: Dataset) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for attribute in ATTRIBUTES:
        tag = Tag(int(attribute.tag, 16))
        if tag in ds:
            found[attribute.tag] = {"vr": "SQ"} if attribute.kind == "present" else _json(ds, tag)
    return found


def _json(ds: Dataset, tag: BaseTag) -> dict[str, Any]:
    """In the DICOM JSON model; a value that its VR does not allow stays text."""
    raw = ds.get_item(tag)
    try:
        element: dict[str, Any] = ds[tag].to_json_dict(None, 0)
        json.dumps(element, allow_nan=False)
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        value = raw.value if raw is not None else b""
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        return {"vr": "UN", "Value": [text.strip("\0 ")]}
    if raw is not None and isinstance(raw.value, bytes) and "\ufffd" in str(element.get("Value")):
        # Two patient ids may look alike as text: what was not decoded whole is told apart by its bytes.
        element["InlineBinary"] = base64.b64encode(raw.value.rstrip(b"\0 ")).decode("ascii")
    return element


def _modality(instance: ManifestInstance) -> str | None:
    values = instance.attributes.get("00080060", {}).get("Value") or [None]
    return str(values[0])[:16] if values[0] else None
