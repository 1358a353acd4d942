"""S3 and EventBridge for the edge's tests: moto's server on a free port, a bus that fills a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from dicom_ingest.contracts.messages.events import EDGE_SOURCE, SERIES_COMPLETE
from dicom_ingest.contracts.messages.manifest import Manifest, decode_manifest

BUCKET = "dicom"
BUS = "ingest"
REGION = "eu-west-1"


@dataclass
class EdgeCloud:
    """What the edge talks to, and what it left there."""

    endpoint: str
    s3: Any
    sqs: Any
    queue_url: str

    @property
    def environment(self) -> dict[str, str]:
        """What points an AWS client here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def events(self) -> list[dict[str, Any]]:
        """Events that have come since the last call, whole."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
            )
            messages = answer.get("Messages", [])
            if not messages:
                return found
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def announcements(self) -> list[dict[str, Any]]:
        """Series Complete events that have come since the last call; heartbeats are left out."""
        return [event for event in self.events() if event["detail-type"] == SERIES_COMPLETE]

    def keys(self, prefix: str = "") -> list[str]:
        """Keys of all objects below a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def body(self, key: str) -> bytes:
        """An object's bytes."""
        found: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return found

    def manifest(self, detail: dict[str, Any]) -> Manifest:
        """The manifest that an event announces; its hash is checked."""
        return decode_manifest(self.body(detail["manifest_key"]), detail["manifest_sha256"])


_OPEN = ExitStack()
_users: list[EdgeCloud] = []


@contextmanager
def edge_cloud() -> Iterator[EdgeCloud]:
    """The process's moto server with bucket, bus, rule and queue: its state is the process's, too."""
    opened = _users[0] if _users else _OPEN.enter_context(_edge_cloud())
    _users.append(opened)
    try:
        yield opened
    finally:
        _users.pop()
        if not _users:
            _OPEN.close()


@contextmanager
def _edge_cloud() -> Iterator[EdgeCloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        arguments = {
            "endpoint_url": endpoint,
            "region_name": REGION,
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        }
        session: Any = boto3.Session()
        s3, sqs, events = (session.client(name, **arguments) for name in ("s3", "sqs", "events"))
        # An earlier server of this process may have left them.
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        with suppress(events.exceptions.ResourceAlreadyExistsException):
            events.create_event_bus(Name=BUS)
        queue_url = sqs.create_queue(QueueName="seen")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        pattern = json.dumps({"source": [EDGE_SOURCE]})
        events.put_rule(Name="seen", EventBusName=BUS, EventPattern=pattern)
        events.put_targets(Rule="seen", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
        yield EdgeCloud(endpoint, s3, sqs, queue_url)
    finally:
        server.stop()
