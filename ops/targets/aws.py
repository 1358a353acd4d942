"""A stack on AWS as a target: found by its outputs, with the operator's own credentials.

Tested with the SDK's own clients against moto and a stand-in of the RDS Data API; not tried on AWS.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.errors import OperatorError
from ops.targets.at_edges import heartbeats, held
from ops.targets.data_api import DataApi
from ops.targets.logs import errors_in_groups
from ops.targets.target import Target

CONFIG = Config(read_timeout=910, retries={"mode": "standard", "max_attempts": 3})
NEEDED = (
    "DatabaseCluster",
    "DatabaseName",
    "QueryEditorSecret",
    "DatabaseSecret",
    "DicomBucket",
    "StateMachine",
    "UndeliveredEvents",
)


class Clients:
    """The operator's clients, made once each."""

    def __init__(self, profile: str | None, region: str | None) -> None:
        self._session: Any = boto3.Session(profile_name=profile, region_name=region)
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._made:
            self._made[service] = self._session.client(service, config=CONFIG)
        return self._made[service]

    def close(self) -> None:
        """Close every connection."""
        for client in self._made.values():
            client.close()


@contextmanager
def aws_target(stack: str, profile: str | None = None, region: str | None = None) -> Iterator[Target]:
    """The stack as a target while the block runs.

    Raises:
        OperatorError: there is no such stack, or it lacks the expected outputs.
    """
    clients = Clients(profile, region)
    try:
        yield target_of(stack, clients)
    finally:
        clients.close()


def target_of(stack: str, clients: Any) -> Target:
    """The target that the stack's outputs describe. `clients`: a boto3 client by service name."""
    found = _stack(stack, clients("cloudformation"))
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    if lacking := [name for name in NEEDED if name not in outputs]:
        raise OperatorError(
            f"stack {stack} has no output {', '.join(lacking)}: is it a stack of dicom-ingest?"
        )
    _, partition, _, region, account, *_ = found["StackId"].split(":")
    cluster = f"arn:{partition}:rds:{region}:{account}:cluster:{outputs['DatabaseCluster']}"

    def connect(secret: str) -> DataApi:
        return DataApi(clients("rds-data"), cluster, outputs[secret], outputs["DatabaseName"])

    return Target(
        name=f"stack {stack} in {region}",
        stack=stack,
        bucket=outputs["DicomBucket"],
        state_machine_arn=outputs["StateMachine"],
        dead_letters_url=outputs["UndeliveredEvents"],
        poll_seconds=5,
        index=connect("QueryEditorSecret"),
        open_writer=lambda: connect("DatabaseSecret"),
        client=clients,
        edges_say=lambda: heartbeats(clients("logs"), stack, time.time()),
        edges_hold=lambda term: held(clients("logs"), stack, term, time.time()),
        who=lambda: _who(clients("sts")),
        log_errors=lambda since: errors_in_groups(clients("logs"), stack, since),
    )


def _who(sts: Any) -> str:
    """The caller: `assumed-role/Operator/ana`, `user/ana`."""
    arn: str = sts.get_caller_identity()["Arn"]
    return arn.split(":", 5)[5]


def _stack(stack: str, cloudformation: Any) -> dict[str, Any]:
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise OperatorError(
            f"there is no stack {stack} in {cloudformation.meta.region_name}: see --stack and --region"
        ) from error
    described: dict[str, Any] = found
    return described
