"""AWS clients of the runtime itself, pointed at this machine whatever the caller's environment says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.aws.lambda_functions import REGION

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


class Clients:
    """Clients for one endpoint; made once each. A session of their own: the caller's profile is not read."""

    def __init__(self, url: str, healthimaging_url: str | None = None) -> None:
        self.url = url
        self._healthimaging_url = healthimaging_url
        self._session = boto3.Session("local", "local", region_name=REGION)
        self._made: dict[str, Any] = {}
        self._making = threading.Lock()  # a session is not safe in threads, its clients are

    def _client(self, service: str, url: str | None = None) -> Any:
        with self._making:
            if service not in self._made:
                # No proxy between us and loopback; a function may run for minutes.
                config = Config(
                    proxies={}, read_timeout=960, max_pool_connections=50, inject_host_prefix=False
                )
                self._made[service] = self._session.client(  # type: ignore[call-overload]
                    service, endpoint_url=url or self.url, config=config
                )
            return self._made[service]

    @property
    def s3(self) -> S3Client:
        """Amazon S3."""
        client: S3Client = self._client("s3")
        return client

    @property
    def events(self) -> EventBridgeClient:
        """Amazon EventBridge."""
        client: EventBridgeClient = self._client("events")
        return client

    @property
    def sqs(self) -> SQSClient:
        """Amazon SQS."""
        client: SQSClient = self._client("sqs")
        return client

    @property
    def stepfunctions(self) -> SFNClient:
        """AWS Step Functions."""
        client: SFNClient = self._client("stepfunctions")
        return client

    @property
    def functions(self) -> Any:
        """AWS Lambda: invoke only."""
        return self._client("lambda")

    @property
    def medical_imaging(self) -> HealthImagingClient:
        """AWS HealthImaging, at the emulator."""
        client: HealthImagingClient = self.of("medical-imaging")
        return client

    def of(self, service: str) -> Any:
        """The client of a service, by its name in boto3."""
        return self._client(service, self._healthimaging_url if service == "medical-imaging" else None)

    def close(self) -> None:
        """Close every connection."""
        for client in self._made.values():
            client.close()
