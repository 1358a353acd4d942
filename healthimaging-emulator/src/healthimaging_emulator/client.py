"""boto3 clients for an emulator: no host prefixes, made-up credentials, nothing of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client

_MADE_UP = boto3.session.Session(aws_access_key_id="emulator", aws_secret_access_key="emulator")  # noqa: S106
"""Nothing on this side of the network checks a signature."""
S3_CONFIG = Config(s3={"addressing_style": "path"}, max_pool_connections=50)


def client(url: str, region: str = "us-east-1", **config: Any) -> HealthImagingClient:
    """A `medical-imaging` client of the emulator at `url`; `config` are members of botocore's Config.

    Eight operations have the host prefix `runtime-`, which no name server knows on loopback: it is off.
    """
    settings = Config(inject_host_prefix=False, **config)
    return _MADE_UP.client("medical-imaging", endpoint_url=url, region_name=region, config=settings)


def s3_client(url: str, region: str = "us-east-1") -> S3Client:
    """An `s3` client that every S3 stand-in understands: path-style addresses."""
    return _MADE_UP.client("s3", endpoint_url=url, region_name=region, config=S3_CONFIG)


def events_client(url: str, region: str = "us-east-1") -> EventBridgeClient:
    """An `events` client for a stand-in."""
    return _MADE_UP.client("events", endpoint_url=url, region_name=region)
