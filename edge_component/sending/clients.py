"""The clients of AWS: made here, one attempt a call; waiting and trying again is ours, for ever."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config

from edge_component.sending.direct_put.put import DirectPut
from edge_component.sending.objects import FilePut
from edge_component.settings import Settings


@dataclass(frozen=True)
class Clients:
    """`s3` and `events`, as botocore makes them (endpoints: AWS_ENDPOINT_URL and its variants)."""

    s3: Any
    events: Any
    put_file: FilePut


def make_clients(settings: Settings) -> Clients:
    """Credentials are looked up at the first call, and again when they run out."""
    session = botocore.session.get_session()
    config = Config(
        connect_timeout=settings.aws_timeout,
        read_timeout=settings.aws_timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=settings.uploads_in_flight + 2,
        user_agent_extra="dicom-ingest-edge",
    )
    s3 = session.create_client("s3", config=config)
    verify = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    put_file = DirectPut(s3, session.get_credentials(), verify)
    return Clients(s3, session.create_client("events", config=config), put_file)
