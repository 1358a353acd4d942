"""Two ways in: through an edge as a sender, or straight to S3 and the bus with the operator's credentials."""

from __future__ import annotations

import base64
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE

from dicom_ingest.contracts.keys import ManifestKey, SeriesPrefix
from dicom_ingest.contracts.messages.events import EDGE_SOURCE, SERIES_COMPLETE, SeriesComplete
from dicom_ingest.contracts.messages.manifest import (
    Manifest,
    ManifestInstance,
    ManifestTransfer,
    encode_manifest,
)
from dicom_ingest.contracts.platform.wiring import bus_name
from ops.targets.target import Target
from ops.verify.study import Study

VERIFIER = "OPS-VERIFY"
"""Calling AE title, so that the study can be told from a hospital's."""
CONNECT_SECONDS = 10
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # what goes wrong is said in one line


class NotSentError(RuntimeError):
    """The study did not get in; the message says why."""


Way = Callable[[Study], str]
"""Sends a study and says in words what was done.

Raises:
    NotSentError.
"""


@dataclass(frozen=True)
class ThroughEdge:
    """C-STORE to an edge, each image answered before the next."""

    host: str
    port: int
    called_ae: str
    calling_ae: str = VERIFIER

    def __call__(self, study: Study) -> str:
        """Send it in one association."""
        ae = AE(ae_title=self.calling_ae)
        ae.add_requested_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
        where = f"{self.called_ae} at {self.host}:{self.port}"
        try:
            socket.create_connection((self.host, self.port), CONNECT_SECONDS).close()
        except OSError as error:  # pynetdicom tells less, and leaves a socket open
            raise NotSentError(f"{where}: {error.strerror or error}") from error
        assoc = ae.associate(self.host, self.port, ae_title=self.called_ae)
        if not assoc.is_established:
            how = "rejects the association" if assoc.is_rejected else "does not answer"
            raise NotSentError(f"{where} {how}")
        try:
            for image in study.images:
                status = assoc.send_c_store(image.ds).get("Status")
                if status != 0:
                    shown = "no answer" if status is None else f"0x{status:04X}"
                    raise NotSentError(f"{where} answers C-STORE with {shown}")
        finally:
            assoc.release()
        return f"{len(study.images)} images answered 0x0000 by {where}"


@dataclass(frozen=True)
class Straight:
    """What an edge does, without one: objects, manifest, event."""

    target: Target

    def __call__(self, study: Study) -> str:
        """Put objects and manifest, then announce the series."""
        edge = f"{self.target.stack}-verify"
        now = datetime.now(timezone.utc)
        transfer_id = str(uuid4())
        prefix = SeriesPrefix(edge, transfer_id, study.study_instance_uid, study.series_instance_uid)
        total = sum(len(image.part10) for image in study.images)
        head = ManifestTransfer(
            stack=self.target.stack,
            edge=edge,
            transfer_id=transfer_id,
            correlation_id=f"{transfer_id}/{study.series_instance_uid}",
            sequence=time.time_ns() // 1_000_000,
            study_instance_uid=study.study_instance_uid,
            series_instance_uid=study.series_instance_uid,
            modality="OT",
            instance_count=len(study.images),
            total_bytes=total,
            first_received_at=now,
            last_received_at=now,
            sealed_at=now,
            seal_reason="quiet",
            calling_aes=[VERIFIER],
            called_aes=[VERIFIER],
        )
        instances = [
            ManifestInstance(
                sop_instance_uid=image.sop_instance_uid,
                sop_class_uid=str(image.ds.SOPClassUID),
                transfer_syntax_uid=str(ExplicitVRLittleEndian),
                key=prefix.instance(image.sop_instance_uid),
                bytes=len(image.part10),
                file_sha256=image.file_sha256,
                dataset_sha256=image.file_sha256,
                received_at=now,
                calling_ae=VERIFIER,
                called_ae=VERIFIER,
                attributes=image.attributes,
            )
            for image in study.images
        ]
        encoded = encode_manifest(Manifest(head, instances))
        manifest_key = str(ManifestKey(edge, now.date(), transfer_id, study.series_instance_uid))
        event = SeriesComplete(
            **head.model_dump(include=set(SeriesComplete.model_fields) & set(ManifestTransfer.model_fields)),
            bucket=self.target.bucket,
            prefix=str(prefix),
            manifest_key=manifest_key,
            manifest_sha256=encoded.sha256,
            calling_ae=VERIFIER,
            called_ae=VERIFIER,
        )
        try:
            for image, instance in zip(study.images, instances, strict=True):
                self._put(instance.key, image.part10, "application/dicom", image.file_sha256)
            self._put(manifest_key, encoded.body, "application/gzip")
            self._announce(event)
        except (BotoCoreError, ClientError) as error:
            raise NotSentError(f"as edge {edge}: {error}") from error
        return f"{len(study.images)} images put and announced as edge {edge}, with your credentials"

    def _put(self, key: str, body: bytes, content_type: str, sha256: str | None = None) -> None:
        known = {"ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()} if sha256 else {}
        self.target.client("s3").put_object(
            Bucket=self.target.bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            ChecksumAlgorithm="SHA256",
            IfNoneMatch="*",
            **known,
        )

    def _announce(self, event: SeriesComplete) -> None:
        entry = {
            "Source": EDGE_SOURCE,
            "DetailType": SERIES_COMPLETE,
            "EventBusName": bus_name(self.target.stack),
            "Detail": event.model_dump_json(),
        }
        (result,) = self.target.client("events").put_events(Entries=[entry])["Entries"]
        if "EventId" not in result:
            raise NotSentError(
                f"the bus refuses the event: {result.get('ErrorCode')}: {result.get('ErrorMessage')}"
            )
