"""Executions of the workflow, as Step Functions knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

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


def any_running(client: SFNClient, state_machine_arn: str) -> bool:
    """Whether any execution of the workflow runs."""
    listed = client.list_executions(stateMachineArn=state_machine_arn, statusFilter="RUNNING", maxResults=1)
    return bool(listed["executions"])
