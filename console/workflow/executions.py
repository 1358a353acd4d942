"""An execution's way through the states, from its history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True)
class Visit:
    """One stay in a state; `left` is None where the execution is now. `troubles`: what was tried again."""

    state: str
    entered: datetime
    left: datetime | None = None
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Execution:
    """What Step Functions knows of it. `error`: how it failed."""

    arn: str
    status: str
    visits: list[Visit]
    error: str | None = None
    event: str = ""
    """Its input: the whole event that announced the series transfer."""

    @property
    def now(self) -> str | None:
        """The state it is in, while it runs."""
        return self.visits[-1].state if self.visits and self.status == "RUNNING" else None


def read(client: SFNClient, arn: str | None) -> Execution | None:
    """None where Step Functions does not know it (any more)."""
    if not arn or not arn.startswith("arn:"):
        return None
    try:
        described = client.describe_execution(executionArn=arn)
        events: list[Any] = []
        for page in client.get_paginator("get_execution_history").paginate(executionArn=arn):
            events += page["events"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return None
        raise
    words = ": ".join(filter(None, (described.get("error"), described.get("cause"))))
    return Execution(arn, described["status"], visits(events), words or None, described.get("input", ""))


def visits(events: list[Any]) -> list[Visit]:
    """The stays, oldest first; a Succeed or Fail state is left at once."""
    found: list[Visit] = []
    for event in events:
        if "stateEnteredEventDetails" in event:
            found.append(Visit(event["stateEnteredEventDetails"]["name"], event["timestamp"]))
        elif "stateExitedEventDetails" in event and found:
            found[-1] = replace(found[-1], left=event["timestamp"])
        elif found and (trouble := _trouble(event)):
            found[-1] = replace(found[-1], troubles=(*found[-1].troubles, trouble))
    return found


def _trouble(event: Any) -> str | None:
    """The error of a failed or timed out task."""
    for kind in ("taskFailedEventDetails", "taskTimedOutEventDetails", "lambdaFunctionFailedEventDetails"):
        if kind in event:
            return str(event[kind].get("error", "unknown error"))
    return None
