"""The AWS clients of the functions: made once per environment, with one retry policy.

The SDK retries throttling and server errors a few times at once; waiting longer is the state machine's job.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

RETRIES = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=30,
    tcp_keepalive=True,
)


@cache
def s3() -> S3Client:
    """Amazon S3."""
    return boto3.client("s3", config=RETRIES)


@cache
def stepfunctions() -> SFNClient:
    """AWS Step Functions."""
    return boto3.client("stepfunctions", config=RETRIES)


@cache
def medical_imaging() -> HealthImagingClient:
    """AWS HealthImaging."""
    return boto3.client("medical-imaging", config=RETRIES)


@cache
def events() -> EventBridgeClient:
    """Amazon EventBridge."""
    return boto3.client("events", config=RETRIES)


def database_token(host: str, port: int, user: str) -> str:
    """A password for IAM authentication, signed locally, good for 15 minutes."""
    rds = boto3.client("rds", config=RETRIES)
    return str(rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))


def database_secret(secret_arn: str) -> dict[str, Any]:
    """User and password of the master user, from Secrets Manager."""
    secret = boto3.client("secretsmanager", config=RETRIES).get_secret_value(SecretId=secret_arn)
    fields = json.loads(secret["SecretString"])
    return {"user": fields["username"], "password": fields["password"]}
