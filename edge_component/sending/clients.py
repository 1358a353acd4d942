"""The clients of AWS: made here, one attempt a call; waiting and trying again is ours, for ever."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from edge_component.sending.credentials import LateCredentials
from edge_component.sending.direct_put.put import DirectPut
from edge_component.sending.direct_put.transport import Transport
from edge_component.sending.exchange import FilePut
from edge_component.settings import Settings


@dataclass(frozen=True)
class Clients:
    """`s3` and `events`, as botocore makes them (endpoints: AWS_ENDPOINT_URL and its variants)."""

    s3: Any
    events: Any
    put_file: FilePut


def make_clients(settings: Settings) -> Clients:
    """Clients that need no credentials before their first call, and look for them until they are there."""
    session = _session()
    credentials = LateCredentials()
    session.register_component("credential_provider", credentials)
    config = Config(
        connect_timeout=settings.aws_timeout,
        read_timeout=settings.aws_timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=2 * settings.uploads_in_flight + 2,
        user_agent_extra="dicom-ingest-edge",
        s3={"us_east_1_regional_endpoint": "regional"},  # as in every other region: one host to let through
    )
    s3 = session.create_client("s3", config=config)
    verify = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    put_file = DirectPut(s3, credentials, verify)
    events = session.create_client("events", config=config)
    transport = Transport(settings.aws_timeout, verify)
    transport.attach(s3)
    transport.attach(events)
    return Clients(s3, events, put_file)


def _session() -> Any:
    """The usual session; without its profile while the profile's file is not written yet."""
    session = botocore.session.get_session()
    try:
        session.get_scoped_config()
    except ProfileNotFound:
        return botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    return session
