"""The emulator, its S3, and a client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from healthimaging_emulator import HealthImaging, Settings, serve
from moto.server import ThreadedMotoServer

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


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> S3Client:
    """An S3 client with the two buckets."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for bucket in (INPUT, OUTPUT):
        client.create_bucket(Bucket=bucket)
    return client


@pytest.fixture
def s3(s3_client: S3Client) -> Iterator[S3Client]:
    """The S3 client; both buckets are emptied after the test."""
    yield s3_client
    for bucket in (INPUT, OUTPUT):
        for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if objects := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                s3_client.delete_objects(Bucket=bucket, Delete={"Objects": objects})  # type: ignore[typeddict-item]


@pytest.fixture(scope="session", autouse=True)
def _no_host_prefix() -> Iterator[None]:
    """As the local runtime sets it: both hosts of AWS are one address here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
        yield


def stand_maker(s3: S3Client, stack: ExitStack) -> MakeStand:
    """Makes stands that end with the stack: without arguments AWS's quotas, no throttling, no waiting."""

    def make(settings: Settings | None = None, **more: Any) -> Stand:
        emulator = stack.enter_context(HealthImaging(s3, settings or Settings.fast(), **more))
        server = stack.enter_context(serve(emulator))
        client = medical_imaging(server.url)
        stack.callback(client.close)
        return Stand(emulator, server, client, s3, emulator.ensure_datastore("tests"))

    return make


@pytest.fixture
def make_stand(s3: S3Client) -> Iterator[MakeStand]:
    """Makes stands that end with the test."""
    with ExitStack() as stack:
        yield stand_maker(s3, stack)


@pytest.fixture(scope="module")
def make_shared_stand(s3_client: S3Client) -> Iterator[MakeStand]:
    """Makes stands that end with the module, for tests that only read."""
    with ExitStack() as stack:
        yield stand_maker(s3_client, stack)


@pytest.fixture
def stand(make_stand: MakeStand) -> Stand:
    """The default stand."""
    return make_stand()
