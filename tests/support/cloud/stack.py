"""A local run dressed as a stack on AWS: its outputs in CloudFormation, heartbeats in a log, the Data API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config

from dicom_ingest.contracts.messages.steps import DatabaseUser
from dicom_ingest.db.server import users
from local.aws.lambda_functions import REGION
from local.postgres.databases import session
from local.run.state import RunState
from tests.support.cloud.data_api import CLUSTER, data_api

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = ("edge_heartbeat.degraded", "edge_holdings")
OPERATOR = "operator"
HEARTBEAT = {"instances_received": 91, "instances_uploaded": 91, "series_open": 0, "spool_instances": 0}


@contextmanager
def stack_of(state: RunState) -> Iterator[dict[str, str]]:
    """The variables with which the SDK finds the stack instead of AWS, while the block runs."""
    with session(state.database_url) as connection:
        users.ensure(connection, DatabaseUser(name=OPERATOR, role="operator"))
    parts = urlsplit(state.database_url)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.{parts.port or 5432}"
    ways_in = {
        "arn:operator": {"user": OPERATOR, "unix_sock": socket},
        "arn:administrator": {"user": parts.username or "postgres", "unix_sock": socket},
    }
    _describe(state, database=parts.path.removeprefix("/"))
    _beat(state)
    with data_api(ways_in) as url:
        yield {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": state.aws_url,
            "AWS_ENDPOINT_URL_RDS_DATA": url,
            "AWS_ENDPOINT_URL_MEDICAL_IMAGING": state.healthimaging_url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "NO_PROXY": "127.0.0.1",
        }


def _client(service: str, state: RunState) -> Any:
    made: Any = boto3.Session("local", "local", region_name=REGION)
    return made.client(service, endpoint_url=state.aws_url, config=Config(proxies={}))


def _describe(state: RunState, database: str) -> None:
    """A stack with the outputs of ours."""
    outputs = {
        "DatabaseCluster": CLUSTER.rpartition(":")[2],
        "DatabaseName": database,
        "QueryEditorSecret": "arn:operator",
        "DatabaseSecret": "arn:administrator",
        "DicomBucket": state.bucket,
        "StateMachine": state.state_machine_arn,
        "UndeliveredEvents": state.dead_letters_url,
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},  # a stack has one at least
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    with _closing(_client("cloudformation", state)) as cloudformation:
        cloudformation.create_stack(StackName=state.stack, TemplateBody=json.dumps(template))


def _beat(state: RunState) -> None:
    """One heartbeat of its edge and what the edge holds, as the bus writes them into the log."""
    name, now = f"/aws/events/{state.stack}-heartbeats", int(time.time() * 1000)
    said = [json.loads((EVENTS / f"{sample}.v1.json").read_text()) for sample in SAMPLES]
    for event in said:
        event["detail"]["edge"] = state.edge
    said[0]["time"] = "2026-11-22T08:00:00Z"
    said[0]["detail"] |= HEARTBEAT
    with _closing(_client("logs", state)) as logs:
        logs.create_log_group(logGroupName=name)
        logs.create_log_stream(logGroupName=name, logStreamName="all")
        logs.put_log_events(
            logGroupName=name,
            logStreamName="all",
            logEvents=[{"timestamp": now, "message": json.dumps(event)} for event in said],
        )


@contextmanager
def _closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.close()
