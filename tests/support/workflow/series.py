"""Series transfers for tests: events and manifests as an edge would announce them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from dicom_ingest.contracts.keys import ManifestKey, SeriesPrefix
from dicom_ingest.contracts.messages.events import Priority, SeriesComplete
from dicom_ingest.contracts.messages.manifest import (
    Manifest,
    ManifestInstance,
    ManifestLink,
    ManifestTransfer,
    MissingInstance,
    encode_manifest,
)
from dicom_ingest.db.index.rows import Objects, SeriesRows, series_rows

BUCKET = "dicom"
STACK = "dicom-ingest"
MORNING = datetime(2026, 11, 22, 8, 0, tzinfo=timezone.utc)


def new_uid() -> str:
    """A UID under the 2.25 root (PS3.5 B.2)."""
    return f"2.25.{uuid4().int}"


def element(vr: str, *values: Any) -> dict[str, Any]:
    """An element of the DICOM JSON model."""
    return {"vr": vr, "Value": list(values)}


@dataclass(frozen=True)
class Announced:
    """A series transfer as an edge announces it."""

    transfer_id: str = field(default_factory=lambda: str(uuid4()))
    study_instance_uid: str = field(default_factory=new_uid)
    series_instance_uid: str = field(default_factory=new_uid)
    sop_instance_uids: tuple[str, ...] = field(default_factory=lambda: (new_uid(), new_uid()))
    edge: str = f"{STACK}-edge1"
    sequence: int = 1
    after: tuple[str, ...] = ()
    priority: Priority = "live"
    patient_id: str | None = "4711"
    issuer: str | None = None
    sender_issuer: str | None = None
    modality: str = "CT"
    content: str = "first"
    received_at: datetime = MORNING
    attributes: Callable[[int], dict[str, Any]] = lambda _: {}
    missing: tuple[str, ...] = ()
    transfer_series: int | None = None
    calling_ae: str = "CT1"
    more_aes: tuple[str, ...] = ()
    chain: ManifestLink | None = None
    described: Callable[[int], dict[str, Any]] = lambda _: {}
    """Further fields of an instance's line, by its number."""

    @property
    def prefix(self) -> SeriesPrefix:
        """Where its instances lie."""
        return SeriesPrefix(self.edge, self.transfer_id, self.study_instance_uid, self.series_instance_uid)

    @property
    def manifest_key(self) -> ManifestKey:
        """Where its manifest lies."""
        day = (self.received_at + timedelta(minutes=1)).date()
        return ManifestKey(self.edge, day, self.transfer_id, self.series_instance_uid)

    def manifest(self) -> Manifest:
        """Its manifest."""
        instances = [
            self._instance(number, sop) for number, sop in enumerate(self.sop_instance_uids, start=1)
        ]
        transfer = ManifestTransfer(
            stack=STACK,
            edge=self.edge,
            transfer_id=self.transfer_id,
            correlation_id=f"c-{self.transfer_id}",
            sequence=self.sequence,
            after=list(self.after),
            study_instance_uid=self.study_instance_uid,
            series_instance_uid=self.series_instance_uid,
            modality=self.modality,
            priority=self.priority,
            issuer_of_patient_id=self.sender_issuer,
            instance_count=len(instances),
            total_bytes=sum(instance.stored_bytes for instance in instances),
            first_received_at=self.received_at,
            last_received_at=self.received_at,
            sealed_at=self.received_at + timedelta(minutes=1),
            seal_reason="quiet",
            calling_aes=[self.calling_ae, *self.more_aes],
            called_aes=["EDGE"],
            transfer_series=self.transfer_series,
            chain=self.chain,
        )
        lost = [
            MissingInstance(sop_instance_uid=sop, reason="unreadable", received_at=self.received_at)
            for sop in self.missing
        ]
        return Manifest(transfer, instances, lost)

    def event(self) -> SeriesComplete:
        """Its event."""
        manifest = self.manifest()
        return SeriesComplete(
            correlation_id=manifest.transfer.correlation_id,
            edge=self.edge,
            transfer_id=self.transfer_id,
            sequence=self.sequence,
            study_instance_uid=self.study_instance_uid,
            series_instance_uid=self.series_instance_uid,
            modality=self.modality,
            priority=self.priority,
            bucket=BUCKET,
            prefix=str(self.prefix),
            manifest_key=str(self.manifest_key),
            manifest_sha256=encode_manifest(manifest).sha256,
            instance_count=manifest.transfer.instance_count,
            total_bytes=manifest.transfer.total_bytes,
            first_received_at=manifest.transfer.first_received_at,
            last_received_at=manifest.transfer.last_received_at,
            sealed_at=manifest.transfer.sealed_at,
            seal_reason="quiet",
            calling_ae=self.calling_ae,
            called_ae="EDGE",
            transfer_series=self.transfer_series,
        )

    def envelope(self, **extra: Any) -> dict[str, Any]:
        """The whole EventBridge event."""
        return {
            "version": "0",
            "id": str(UUID(int=1)),
            "source": "dicom-ingest.edge",
            "detail-type": "Series Complete",
            "time": "2026-11-22T08:02:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail": self.event().model_dump(mode="json"),
            **extra,
        }

    def sizes(self) -> dict[str, int]:
        """What S3 lists when all of it has arrived."""
        return {instance.key: instance.stored_bytes for instance in self.manifest().instances}

    def rows(self) -> SeriesRows:
        """What the index is given when all of it has arrived."""
        return series_rows(self.manifest(), Objects(self.sizes()))

    def body(self, number: int, sop: str) -> bytes:
        """The DICOM file of one instance: no pixels, all that identifies it."""
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(sop)
        ds = Dataset.from_json(self._identity(number))
        ds.file_meta = meta
        ds.SOPClassUID = CTImageStorage
        ds.SOPInstanceUID = sop
        ds.StudyInstanceUID = self.study_instance_uid
        ds.SeriesInstanceUID = self.series_instance_uid
        ds.ImageComments = self.content
        buffer = BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        return buffer.getvalue()

    def _identity(self, number: int) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "00080060": element("CS", self.modality),
            "00200013": element("IS", number),
        }
        if self.patient_id is not None:
            attributes["00100020"] = element("LO", self.patient_id)
        if self.issuer is not None:
            attributes["00100021"] = element("LO", self.issuer)
        return attributes

    def _instance(self, number: int, sop: str) -> ManifestInstance:
        body = self.body(number, sop)
        digest = hashlib.sha256(body).hexdigest()
        fields: dict[str, Any] = {
            "sop_instance_uid": sop,
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
            "key": self.prefix.instance(sop),
            "bytes": len(body),
            "file_sha256": digest,
            "dataset_sha256": digest,
            "received_at": self.received_at,
            "calling_ae": self.calling_ae,
            "called_ae": "EDGE",
            "attributes": self._identity(number) | self.attributes(number),
        }
        return ManifestInstance.model_validate(fields | self.described(number))
