"""What `cdk deploy` makes in the cloud, made in moto: bucket, bus, archive, rules, workflow, functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from dicom_ingest.contracts.platform import wiring as contract
from local.aws.lambda_functions import FUNCTION_TABLE, LambdaFunction
from local.aws.lambda_service import TABLE
from local.clients.aws import Clients
from local.run.wiring import Names

MAX_RECEIVE_COUNT = 5
VISIBILITY_SECONDS = 3
LONG_VISIBILITY_SECONDS = 330
"""Longer than `reclaim_import_slots` may run."""


class DeployError(RuntimeError):
    """The Lambda service refused the functions."""


@dataclass(frozen=True)
class Queues:
    """URLs of the queues: a rule cannot target Step Functions in moto, so events pass through one."""

    executions: str
    status_changes: str
    dead_letters: str


def create_bucket(clients: Clients, names: Names) -> None:
    """The DICOM bucket, versioned."""
    clients.s3.create_bucket(Bucket=names.bucket)
    clients.s3.put_bucket_versioning(Bucket=names.bucket, VersioningConfiguration={"Status": "Enabled"})


def create_queues(clients: Clients, names: Names) -> Queues:
    """A queue for events that start executions, one for status changes, and theirs for what fails."""
    dead_letters = f"{names.stack}-dead-letters"
    redrive = {"deadLetterTargetArn": names.queue_arn(dead_letters), "maxReceiveCount": MAX_RECEIVE_COUNT}

    def create(name: str, visibility: int) -> str:
        attributes = {"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)}
        answer = clients.sqs.create_queue(QueueName=name, Attributes=attributes)  # type: ignore[arg-type]
        return answer["QueueUrl"]

    return Queues(
        dead_letters=clients.sqs.create_queue(QueueName=dead_letters)["QueueUrl"],
        executions=create(f"{names.stack}-executions", VISIBILITY_SECONDS),
        status_changes=create(f"{names.stack}-status-changes", LONG_VISIBILITY_SECONDS),
    )


def create_events(clients: Clients, names: Names, datastore_id: str) -> None:
    """Bus, archive and rules, with the stack's own patterns."""
    events = clients.events
    events.create_event_bus(Name=names.bus)
    events.create_archive(
        ArchiveName=names.archive,
        EventSourceArn=names.bus_arn,
        EventPattern=json.dumps(contract.SERIES_COMPLETE_PATTERN),
    )
    status_changes = f"{names.stack}-status-changes"
    rules = (
        (names.rule, names.bus, contract.SERIES_COMPLETE_PATTERN, f"{names.stack}-executions"),
        (
            f"{names.stack}-execution-status",
            "default",
            contract.execution_status_pattern(names.state_machine_arn),
            status_changes,
        ),
        (
            f"{names.stack}-import-status",
            "default",
            contract.import_status_pattern(datastore_id),
            status_changes,
        ),
    )
    for name, bus, pattern, queue in rules:
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        targets = [{"Id": "queue", "Arn": names.queue_arn(queue)}]
        events.put_targets(Rule=name, EventBusName=bus, Targets=targets)  # type: ignore[arg-type]


def create_state_machine(clients: Clients, names: Names, definition: str) -> None:
    """The workflow, from a definition whose placeholders are filled."""
    clients.stepfunctions.create_state_machine(
        name=contract.state_machine_name(names.stack), definition=definition, roleArn=names.import_role_arn
    )


def deploy_functions(url: str, functions: Sequence[LambdaFunction]) -> None:
    """Tell the Lambda service its functions.

    Raises:
        DeployError: it refused them.
    """
    body = FUNCTION_TABLE.dump_json(list(functions))
    request = Request(f"{url}{TABLE}", method="PUT", data=body)  # noqa: S310 - our own address
    try:
        build_opener(ProxyHandler({})).open(request, timeout=60).close()
    except HTTPError as error:
        raise DeployError(error.read().decode(errors="replace")) from error
