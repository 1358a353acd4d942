"""A series transfer of any size as an edge announces it, with the header attributes of a real CT slice."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from pydicom import dcmread

from dcmdata.generate.load import write_ct_series
from dicom_ingest.contracts.keys import ManifestKey, SeriesPrefix
from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.manifest import (
    EncodedManifest,
    Manifest,
    ManifestInstance,
    ManifestTransfer,
    encode_manifest,
)
from edge_component.receiving.datasets.header import read_header

STACK, EDGE, BUCKET = "bench", "bench-edge1", "dicom"
RECEIVED = datetime(2026, 11, 22, 8, 0, tzinfo=timezone.utc)
INSTANCE_BYTES = 526_000
HASH = "0" * 64
SAME = (
    *("correlation_id", "edge", "transfer_id", "sequence", "study_instance_uid", "series_instance_uid"),
    *("modality", "instance_count", "total_bytes", "seal_reason"),
)
"""What event and manifest say alike."""


class BenchSeries:
    """`envelope` is the event as EventBridge delivers it, `body` its manifest."""

    def __init__(self, instances: int) -> None:
        self.transfer_id = str(uuid4())
        self.study, self.series = _uid(), _uid()
        self.prefix = SeriesPrefix(EDGE, self.transfer_id, self.study, self.series)
        self.manifest_key = str(ManifestKey(EDGE, RECEIVED.date(), self.transfer_id, self.series))
        attributes = _attributes()
        self.manifest = Manifest(
            self._transfer(instances), [self._instance(attributes, n) for n in range(1, instances + 1)]
        )
        self.encoded: EncodedManifest = encode_manifest(self.manifest)

    def sizes(self) -> dict[str, int]:
        """What S3 lists."""
        return {instance.key: instance.bytes for instance in self.manifest.instances}

    def envelope(self) -> dict[str, Any]:
        """The whole event."""
        transfer = self.manifest.transfer
        detail = SeriesComplete(
            **{name: getattr(transfer, name) for name in SAME},
            priority="live",
            bucket=BUCKET,
            prefix=str(self.prefix),
            manifest_key=self.manifest_key,
            manifest_sha256=self.encoded.sha256,
            first_received_at=transfer.first_received_at,
            last_received_at=transfer.last_received_at,
            sealed_at=transfer.sealed_at,
            calling_ae="CT1",
            called_ae="EDGE",
        )
        return {
            "version": "0",
            "id": str(uuid4()),
            "source": "dicom-ingest.edge",
            "detail-type": "Series Complete",
            "time": "2026-11-22T08:02:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail": detail.model_dump(mode="json"),
        }

    def _transfer(self, instances: int) -> ManifestTransfer:
        return ManifestTransfer(
            stack=STACK,
            edge=EDGE,
            transfer_id=self.transfer_id,
            correlation_id=self.transfer_id,
            sequence=1,
            study_instance_uid=self.study,
            series_instance_uid=self.series,
            modality="CT",
            instance_count=instances,
            total_bytes=instances * INSTANCE_BYTES,
            first_received_at=RECEIVED,
            last_received_at=RECEIVED,
            sealed_at=RECEIVED + timedelta(minutes=1),
            seal_reason="quiet",
            calling_aes=["CT1"],
            called_aes=["EDGE"],
        )

    def _instance(self, attributes: dict[str, Any], number: int) -> ManifestInstance:
        sop = _uid()
        return ManifestInstance(
            sop_instance_uid=sop,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            key=self.prefix.instance(sop),
            bytes=INSTANCE_BYTES,
            file_sha256=HASH,
            dataset_sha256=HASH,
            received_at=RECEIVED,
            calling_ae="CT1",
            called_ae="EDGE",
            attributes=attributes | {"00200013": {"vr": "IS", "Value": [number]}},
        )


def _uid() -> str:
    return f"2.25.{uuid4().int}"


def _attributes() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        path = write_ct_series(Path(folder), slices=1, matrix=16)[0]
        syntax = str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        with path.open("rb") as stream:
            stream.seek(132)
            head = stream.read(12)
            stream.seek(132 + 12 + int.from_bytes(head[8:12], "little"))
            found: dict[str, Any] = json.loads(read_header(stream, syntax).attributes)
    return found
