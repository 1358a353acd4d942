"""The AWS clients of the functions: made once per environment, with one retry policy.

The SDK retries throttling and server errors a few times at once; waiting longer is the state machine's job.
The clients are botocore's, which boto3's are, too: boto3 would add its transfer manager, which no function
uses, to every cold start.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.session import Session, get_session

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

ATTEMPTS = 3
CONNECT_SECONDS = 3
READ_SECONDS = 8
"""Of a service that is well, every first byte comes sooner: of a start, a list, a manifest."""
LONGEST_CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + ATTEMPTS
"""A call without an answer: its tries and the pauses between them. Shorter than any function's time-out."""

RETRIES = Config(
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    tcp_keepalive=True,
)


@cache
def _session() -> Session:
    return get_session()


def _client(service: str) -> Any:
    return _session().create_client(service, config=RETRIES)


@cache
def s3() -> S3Client:
    """Amazon S3."""
    return cast("S3Client", _client("s3"))


@cache
def stepfunctions() -> SFNClient:
    """AWS Step Functions."""
    return cast("SFNClient", _client("stepfunctions"))


@cache
def medical_imaging() -> HealthImagingClient:
    """AWS HealthImaging."""
    return cast("HealthImagingClient", _client("medical-imaging"))


@cache
def events() -> EventBridgeClient:
    """Amazon EventBridge."""
    return cast("EventBridgeClient", _client("events"))


def database_token(host: str, port: int, user: str) -> str:
    """A password for IAM authentication, signed locally, good for 15 minutes."""
    rds = _client("rds")
    return str(rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))


def database_secret(secret_arn: str) -> dict[str, Any]:
    """User and password of the master user, from Secrets Manager: read each time, since it is rotated."""
    # Imported here: one function of ten reads secrets, and the others start without it.
    from aws_lambda_powertools.utilities import parameters

    secrets = parameters.SecretsProvider(boto3_client=_client("secretsmanager"))
    fields = cast("dict[str, Any]", secrets.get(secret_arn, transform="json", force_fetch=True))
    return {"user": fields["username"], "password": fields["password"]}
