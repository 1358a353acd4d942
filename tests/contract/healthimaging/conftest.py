"""The emulator, its S3, and a client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from local.healthimaging import HealthImaging, Settings, serve

from .stand import INPUT, OUTPUT, Stand, medical_imaging

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MakeStand = Callable[..., Stand]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto's S3 on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str) -> Iterator[S3Client]:
    """An S3 client with the two buckets, empty at the start of each test."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for bucket in (INPUT, OUTPUT):
        client.create_bucket(Bucket=bucket)
    yield client
    for bucket in (INPUT, OUTPUT):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                client.delete_object(Bucket=bucket, Key=entry["Key"])


@pytest.fixture
def make_stand(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeStand]:
    """Makes stands: without arguments AWS's quotas, no throttling and no waiting."""
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    with ExitStack() as stack:

        def make(settings: Settings | None = None, **more: Any) -> Stand:
            emulator = stack.enter_context(HealthImaging(s3, settings or Settings.fast(), **more))
            server = stack.enter_context(serve(emulator))
            client = medical_imaging(server.url)
            stack.callback(client.close)
            return Stand(emulator, server, client, s3, emulator.ensure_datastore("tests"))

        yield make


@pytest.fixture
def stand(make_stand: MakeStand) -> Stand:
    """The default stand."""
    return make_stand()
