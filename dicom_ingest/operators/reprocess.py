"""Work done again on purpose: events rebuilt from the manifests in S3, however old, for the workflow.

EventBridge's own replay does the same while its archive has the event. Here the executions are started
directly: only so can an event carry a `replay-name`, which says what a reprocessing may do
(`reindex-…` only indexes, `force-…` imports again, anything else converges).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dicom_ingest.contracts.keys import (
    MANIFESTS,
    KeyFormatError,
    ManifestKey,
    SeriesPrefix,
    parse_manifest_key,
)
from dicom_ingest.contracts.messages.events import SERIES_COMPLETE, SeriesComplete
from dicom_ingest.contracts.messages.manifest import (
    Manifest,
    ManifestFormatError,
    decode_manifest,
    encode_manifest,
    stream_manifest,
)
from dicom_ingest.db.series import ledger
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ManifestRejectedError
from dicom_ingest.operators.rebuild import rebuild
from dicom_ingest.workflow import executions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


UNUSABLE = (KeyFormatError, ManifestFormatError, ManifestRejectedError)
"""What is raised where no event can be made: key, manifest or objects are not what they should be."""


@dataclass(frozen=True)
class Selection:
    """Which series transfers; what is None does not matter. `detail`: part of the outcome's words."""

    series: str | None = None
    study: str | None = None
    day: date | None = None
    edge: str | None = None
    ae: str | None = None
    modality: str | None = None
    outcome: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Chosen:
    """A series transfer to be worked on again."""

    pk: int
    manifest_key: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str | None
    instances: int
    patient_id: str | None
    accession_number: str | None
    outcome: str | None
    detail: str | None


def select(connection: Connection, selection: Selection) -> list[Chosen]:
    """What the index knows of the selection, oldest first."""
    return [Chosen(**row) for row in ledger.transfers(connection, vars(selection))]


@dataclass(frozen=True)
class Reprocessor:
    """The clients and names that it needs. `replay_name`: what the reprocessing may do."""

    s3: S3Client
    stepfunctions: SFNClient
    bucket: str
    stack: str
    state_machine_arn: str
    replay_name: str = ""

    def manifest(self, manifest_key: str) -> str:
        """Start an execution for the event of this manifest; its ARN.

        Raises:
            UNUSABLE, botocore's errors
        """
        key = parse_manifest_key(manifest_key)
        body = self.s3.get_object(Bucket=self.bucket, Key=manifest_key)["Body"].read()
        return self._start(event_of(key, decode_manifest(body), stream_manifest(body).sha256, self.bucket))

    def prefix(self, prefix: str) -> list[str]:
        """Start an execution for every series below a transfer's prefix; their ARNs.

        A series without a manifest gets one, made from its headers.
        """
        return [self._series(series) for series in self.series_below(prefix)]

    def series_below(self, prefix: str) -> Iterator[SeriesPrefix]:
        """The series transfers below `{edge}/{transfer}/`."""
        parts = prefix.strip("/").split("/")
        if len(parts) == 4:
            yield SeriesPrefix(*parts)
            return
        for folder in self._folders("/".join(parts) + "/"):
            yield from self.series_below(folder)

    def _series(self, prefix: SeriesPrefix) -> str:
        known = self._manifest_of(prefix)
        if known is not None:
            return self.manifest(known)
        key, manifest = rebuild(self.s3, self.bucket, self.stack, prefix)
        # No manifest is ever overwritten.
        encoded = encode_manifest(manifest)
        self.s3.put_object(Bucket=self.bucket, Key=str(key), Body=encoded.body, IfNoneMatch="*")
        return self._start(event_of(key, manifest, encoded.sha256, self.bucket))

    def _manifest_of(self, prefix: SeriesPrefix) -> str | None:
        """Its manifest is below the day on which it was sealed, which the prefix does not say."""
        for day in self._folders(f"{MANIFESTS}{prefix.edge}/"):
            key = f"{day}{prefix.transfer_id}/{prefix.series_instance_uid}.jsonl.gz"
            if self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1).get("KeyCount"):
                return key
        return None

    def _folders(self, prefix: str) -> list[str]:
        names: list[str] = []
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, Delimiter="/"
        )
        for page in pages:
            names += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        return names

    def _start(self, event: SeriesComplete) -> str:
        return executions.start(
            self.stepfunctions, self.state_machine_arn, executions.envelope(event, self.replay_name)
        )


def event_of(key: ManifestKey, manifest: Manifest, sha256: str, bucket: str) -> SeriesComplete:
    """The event that announced this manifest, or would have."""
    transfer = manifest.transfer
    if (transfer.edge, transfer.transfer_id, transfer.series_instance_uid) != (
        key.edge,
        key.transfer_id,
        key.series_instance_uid,
    ):
        raise ManifestRejectedError(f"{key} is about another series transfer")
    prefix = SeriesPrefix(key.edge, key.transfer_id, transfer.study_instance_uid, key.series_instance_uid)
    return SeriesComplete(
        **transfer.model_dump(include=set(SeriesComplete.model_fields) - {"schema_version"}),
        bucket=bucket,
        prefix=str(prefix),
        manifest_key=str(key),
        manifest_sha256=sha256,
        calling_ae=transfer.calling_aes[-1],
        called_ae=transfer.called_aes[-1],
    )


@dataclass(frozen=True)
class Redriven:
    """An event of a dead-letter queue whose execution was started."""

    transfer_id: str
    series_instance_uid: str
    execution: str


def redrive(
    sqs: SQSClient, queue_url: str, stepfunctions: SFNClient, state_machine_arn: str
) -> Iterator[Redriven | None]:
    """Start an execution for every event in a dead-letter queue; None for each other message, which stays."""
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            event = json.loads(message["Body"])
            if event.get("detail-type") != SERIES_COMPLETE:
                yield None  # e.g. a status change: reclaim finds by itself what it was about
                continue
            execution = executions.start(stepfunctions, state_machine_arn, event)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            detail = event["detail"]
            yield Redriven(detail["transfer_id"], detail["series_instance_uid"], execution)
