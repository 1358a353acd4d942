"""What can be seen of the study: in S3, in the index, in HealthImaging, in alarms and logs. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from dicom_ingest.contracts.keys import MANIFESTS
from dicom_ingest.contracts.messages.manifest import Manifest, decode_manifest
from dicom_ingest.operators.read.index import Row, first
from dicom_ingest.operators.read.ledger import of_series
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.timeline import Timeline, timeline
from ops.targets.target import Target
from ops.verify.study import Study


@dataclass
class Evidence:
    """Of one study that was sent at `since`."""

    target: Target
    study: Study
    since: datetime
    manifest_key: str | None = None

    def manifest(self) -> Manifest | None:
        """As it is in S3; None: there is none yet."""
        self.manifest_key = self.manifest_key or self._find_manifest()
        if self.manifest_key is None:
            return None
        answer = self._s3.get_object(Bucket=self.target.bucket, Key=self.manifest_key)
        return decode_manifest(answer["Body"].read())

    def object(self, key: str) -> dict[str, Any] | None:
        """Size and checksum of an object; None: there is none."""
        try:
            found: dict[str, Any] = self._s3.head_object(
                Bucket=self.target.bucket, Key=key, ChecksumMode="ENABLED"
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return found

    def transfer(self) -> Timeline | None:
        """All that the index has of it."""
        row = first(places(self.target.index, Filter(series=self.study.series_instance_uid)))
        return timeline(self.target.index, row["pk"]) if row else None

    def execution(self) -> Row | None:
        """The execution that owns it."""
        found = self.transfer()
        arn = found.series_transfer["owner_execution"] if found else None
        if arn is None:
            return None
        described: Row = self.target.client("stepfunctions").describe_execution(executionArn=arn)
        return described

    def job(self, datastore: str, import_id: str) -> Row:
        """The import, as HealthImaging says."""
        answer = self.target.client("medical-imaging").get_dicom_import_job(
            datastoreId=datastore, jobId=import_id
        )
        found: Row = answer["jobProperties"]
        return found

    def image_set(self, datastore: str, image_set: str) -> Row:
        """The image set, as HealthImaging says."""
        found: Row = self.target.client("medical-imaging").get_image_set(
            datastoreId=datastore, imageSetId=image_set
        )
        return found

    def ledger(self) -> Row | None:
        """The series' row of the ledger."""
        return of_series(self.target.index, self.study.series_instance_uid)

    def ringing(self) -> list[str]:
        """The stack's alarms that ring."""
        pages = (
            self.target.client("cloudwatch")
            .get_paginator("describe_alarms")
            .paginate(AlarmNamePrefix=f"{self.target.stack}-", StateValue="ALARM")
        )
        return [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]

    def undelivered(self) -> int:
        """Events in the dead-letter queue."""
        answer = self.target.client("sqs").get_queue_attributes(
            QueueUrl=self.target.dead_letters_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def errors(self) -> list[Row]:
        """Error lines of the functions that name the study's series, since it was sent."""
        uid = self.study.series_instance_uid
        return [line for line in self.target.log_errors(self.since) if uid in str(line)]

    def _find_manifest(self) -> str | None:
        """Below the day on which it was sealed, of whichever edge."""
        name = f"/{self.study.series_instance_uid}.jsonl.gz"
        edges = self._s3.list_objects_v2(Bucket=self.target.bucket, Prefix=MANIFESTS, Delimiter="/")
        days = {(self.since + timedelta(days=more)).date().isoformat() for more in (0, 1)}
        for edge in edges.get("CommonPrefixes", []):
            for day in days:
                pages = self._s3.get_paginator("list_objects_v2").paginate(
                    Bucket=self.target.bucket, Prefix=f"{edge['Prefix']}{day}/"
                )
                for page in pages:
                    for item in page.get("Contents", []):
                        if item["Key"].endswith(name):
                            return str(item["Key"])
        return None

    @property
    def _s3(self) -> Any:
        return self.target.client("s3")
