"""Executions of the workflow, as Step Functions knows them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from dicom_ingest.contracts.messages.events import EDGE_SOURCE, SERIES_COMPLETE, SeriesComplete
from dicom_ingest.contracts.times import rfc3339

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

REFUSED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


def is_running(client: SFNClient, execution_arn: str) -> bool:
    """Whether an execution still runs; one that Step Functions does not know any more does not."""
    if not execution_arn.startswith("arn:"):
        return False  # a pass of reclaim_import_slots: it is over when its transaction is
    try:
        return client.describe_execution(executionArn=execution_arn)["status"] in (
            "RUNNING",
            "PENDING_REDRIVE",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return False
        raise


def send_success(client: SFNClient, task_token: str, output: str) -> bool:
    """Answer a task token; False where it was refused, which proves nothing about the execution."""
    try:
        client.send_task_success(taskToken=task_token, output=output)
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSED:
            return False
        raise
    return True


def send_failure(client: SFNClient, task_token: str, error: str, cause: str) -> bool:
    """Fail the task of a token; False where it was refused, which proves nothing about the execution."""
    try:
        client.send_task_failure(taskToken=task_token, error=error, cause=cause)
    except ClientError as error_:
        if error_.response["Error"]["Code"] in REFUSED:
            return False
        raise
    return True


LATELY = timedelta(minutes=15)
"""What an execution left behind is settled well within this."""


def anything_to_settle(client: SFNClient, state_machine_arn: str) -> bool:
    """Whether any execution of the workflow runs, or ended badly of late."""
    since = datetime.now(timezone.utc) - LATELY
    for status in ("RUNNING", "ABORTED", "TIMED_OUT", "FAILED"):
        listed = client.list_executions(
            stateMachineArn=state_machine_arn, statusFilter=cast("Any", status), maxResults=10
        )
        if any(entry.get("stopDate", since) >= since for entry in listed["executions"]):
            return True
    return False


def envelope(event: SeriesComplete, replay_name: str = "") -> dict[str, Any]:
    """As EventBridge would wrap it."""
    wrapped = {
        "version": "0",
        "id": str(uuid4()),
        "source": EDGE_SOURCE,
        "detail-type": SERIES_COMPLETE,
        "time": rfc3339(datetime.now(timezone.utc)),
        "detail": event.model_dump(mode="json"),
    }
    return wrapped | ({"replay-name": replay_name} if replay_name else {})


def start(client: SFNClient, state_machine_arn: str, event: dict[str, Any], name: str = "reprocess") -> str:
    """Start an execution with this event; its ARN."""
    answer = client.start_execution(
        stateMachineArn=state_machine_arn, name=f"{name}-{uuid4()}", input=json.dumps(event)
    )
    return answer["executionArn"]


def state_machine_of(execution_arn: str) -> str:
    """The ARN of the workflow that an execution is one of."""
    return execution_arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
