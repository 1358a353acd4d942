"""A series transfer as the index's rows: text that PostgreSQL unpacks, made instance by instance.

Thousands of instances as objects would take most of a small function's memory; as text they take little.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dicom_ingest.contracts.attributes import INSTANCE, PATIENT, SERIES, STUDY
from dicom_ingest.contracts.messages.manifest import (
    Manifest,
    ManifestInstance,
    ManifestStream,
    ManifestTransfer,
    MissingInstance,
)
from dicom_ingest.contracts.messages.outcomes import Verdict
from dicom_ingest.contracts.times import rfc3339
from dicom_ingest.db.index.columns import Dataset, columns, is_empty, key_value, storable

CONFLICT_TAGS = {
    "PatientID": "00100020",
    "StudyDate": "00080020",
    "AccessionNumber": "00080050",
    "StudyID": "00200010",
    "SeriesNumber": "00200011",
}
"""HealthImaging keeps instances apart that differ in one of these, or in a UID of study or series.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-image-sets.html
"""
COMPARED_TAGS = {**CONFLICT_TAGS, "IssuerOfPatientID": "00100021"}
"""In what the instances of one series should not differ."""
LEVEL_TAGS = frozenset(attribute.tag for attribute in (*PATIENT, *STUDY, *SERIES))

_COMPACT = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True)
class Objects:
    """What S3 lists below the prefix: sizes in bytes by key."""

    sizes: Mapping[str, int]

    def verdict(self, instance: ManifestInstance) -> tuple[Verdict, str | None]:
        """MISSING, with the reason, where the bucket does not hold what the manifest says."""
        size = self.sizes.get(instance.key)
        if size is None:
            return Verdict.MISSING, "announced, but its object is not in S3"
        if size != instance.stored_bytes:
            words = f"its object has {size} bytes, announced were {instance.stored_bytes}"
            return Verdict.MISSING, words
        return Verdict.PENDING, None


@dataclass(frozen=True)
class SeriesRows:
    """`instances` and `versions`: JSON arrays.

    `dataset`: the attributes of patient, study and series, each from the first instance that has a value.
    """

    transfer: ManifestTransfer
    dataset: Dataset
    instances: str
    versions: str
    count: int
    present: int
    found: int
    """Objects below the prefix; `extra`: those of them that the manifest does not name."""
    extra: list[str]
    conflict_values: Mapping[str, set[str | None]]
    """By keyword: what its instances say of what they should not differ in."""


def conflict_attributes(dataset: Dataset) -> dict[str, str | None]:
    """What this header says of each."""
    return _compared(dataset, CONFLICT_TAGS)


def _compared(dataset: Dataset, tags: Mapping[str, str]) -> dict[str, str | None]:
    return {keyword: key_value(dataset, tag) for keyword, tag in tags.items()}


def series_rows(manifest: Manifest | ManifestStream, objects: Objects) -> SeriesRows:
    """All of the manifest; the data sets are forgotten as soon as their rows are made."""
    rows = _Rows(manifest.transfer, objects)
    for record in manifest.records:
        rows.add(record)
    return rows.finished()


@dataclass
class _Rows:
    transfer: ManifestTransfer
    objects: Objects
    dataset: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    instances: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    present: int = 0
    extra: set[str] = field(default_factory=set)
    conflict_values: dict[str, set[str | None]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.extra = set(self.objects.sizes)
        self.conflict_values = {keyword: set() for keyword in COMPARED_TAGS}
        self.wanted = set(LEVEL_TAGS)

    def add(self, record: ManifestInstance | MissingInstance) -> None:
        if isinstance(record, MissingInstance):
            self.versions.append(_text(_missing_row(record)))
            return
        self._complete(record.attributes)
        verdict, message = self.objects.verdict(record)
        stored = _stored(record)
        self.instances.append(_text(_instance_row(record) | stored))
        self.versions.append(_text(self._version_row(record, verdict, message) | stored))
        self.present += verdict is Verdict.PENDING
        self.extra.discard(record.key)
        for keyword, value in _compared(record.attributes, COMPARED_TAGS).items():
            self.conflict_values[keyword].add(value)

    def _version_row(
        self, instance: ManifestInstance, verdict: Verdict, message: str | None
    ) -> dict[str, Any]:
        foretold = [about.model_dump(exclude_none=True) for about in instance.foretold]
        return {
            "uid_findings": storable(instance.uid_findings),
            "verdict": verdict.value,
            "message": message,
            "calling_ae": instance.calling_ae if len(self.transfer.calling_aes) > 1 else None,
            "foretold": storable(foretold) or None,
        }

    def _complete(self, attributes: Dataset) -> None:
        """Of patient, study and series: what no instance before has said."""
        for tag in self.wanted & attributes.keys():
            if not is_empty(attributes[tag]):
                self.dataset[tag] = attributes[tag]
                self.wanted.discard(tag)

    def finished(self) -> SeriesRows:
        return SeriesRows(
            transfer=self.transfer,
            dataset=self.dataset,
            instances=_array(self.instances),
            versions=_array(self.versions),
            count=len(self.versions),
            present=self.present,
            found=len(self.objects.sizes),
            extra=sorted(self.extra),
            conflict_values=self.conflict_values,
        )


def _text(row: Mapping[str, Any]) -> str:
    """An absent name is NULL, and text that is not sent need not be read."""
    return _COMPACT.encode({name: value for name, value in row.items() if value is not None})


def _array(rows: Iterable[str]) -> str:
    return f"[{','.join(rows)}]"


def _stored(instance: ManifestInstance) -> dict[str, Any]:
    return {
        "sop_instance_uid": instance.sop_instance_uid,
        "key": instance.key,
        "bytes": instance.bytes,
        "file_sha256": instance.file_sha256,
        "dataset_sha256": instance.dataset_sha256,
        "received_at": rfc3339(instance.received_at),
        **_compressed(instance),
    }


def _compressed(instance: ManifestInstance) -> dict[str, Any]:
    """The object, where it is not the file that was received."""
    if (stored := instance.stored) is None:
        return {}
    return {
        "stored_transfer_syntax_uid": stored.transfer_syntax_uid,
        "stored_bytes": stored.bytes,
        "stored_sha256": stored.sha256,
    }


def _instance_row(instance: ManifestInstance) -> dict[str, Any]:
    level = columns(instance.attributes, INSTANCE)
    return level.values | {
        "sop_class_uid": instance.sop_class_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "unparsed": level.unparsed,
    }


def _missing_row(missing: MissingInstance) -> dict[str, Any]:
    return {
        "sop_instance_uid": missing.sop_instance_uid,
        "received_at": rfc3339(missing.received_at),
        "uid_findings": [],
        "verdict": Verdict.MISSING.value,
        "message": storable(missing.reason),
    }
