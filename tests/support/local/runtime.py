"""A local AWS of their own for tests, and small state machines to run in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.aws.lambda_functions import LambdaFunction
from local.clients.aws import Clients
from local.parts import processes as parts
from local.parts.resources import deploy_functions
from local.run.options import Options
from local.run.wiring import Names
from tests.support.machine.waiting import wait_until

HANDLERS = "tests.support.local.functions"


def function(name: str, **fields: Any) -> LambdaFunction:
    """One of the small handlers as a function."""
    return LambdaFunction(name=name, handler=f"{HANDLERS}.{name}", **fields)


class LocalAws:
    """moto's server with the Lambda service, as a process."""

    def __init__(self, folder: Path) -> None:
        self.names = Names("teststack")
        self.part = parts.aws(Options(), folder)
        self.part.start()
        self.url = self.part.wait_ready_file()["url"]
        self.clients = Clients(self.url)

    def deploy(self, *functions: LambdaFunction) -> None:
        """Know these functions."""
        deploy_functions(self.url, functions)

    def state_machine(self, states: dict[str, Any]) -> str:
        """The ARN of a new state machine that starts with the first of these states."""
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        created = self.clients.stepfunctions.create_state_machine(
            name=f"test-{uuid4().hex}", definition=definition, roleArn=self.names.import_role_arn
        )
        return created["stateMachineArn"]

    def run(self, state_machine_arn: str, content: Any) -> Any:
        """Execute and wait for the end: what DescribeExecution says."""
        started = self.clients.stepfunctions.start_execution(
            stateMachineArn=state_machine_arn, name=uuid4().hex, input=json.dumps(content)
        )
        return wait_until(lambda: self.ended(started["executionArn"]))

    def ended(self, execution_arn: str) -> Any:
        """The execution, once it is over."""
        found = self.clients.stepfunctions.describe_execution(executionArn=execution_arn)
        return found if found["status"] != "RUNNING" else None

    def close(self) -> None:
        """End the process."""
        self.clients.close()
        self.part.stop()


@contextmanager
def local_aws(folder: Path) -> Iterator[LocalAws]:
    """A local AWS while the block runs."""
    aws = LocalAws(folder)
    try:
        yield aws
    finally:
        aws.close()
