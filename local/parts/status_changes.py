"""EventBridge's *Step Functions Execution Status Change*, which moto does not send: sent by the runtime."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.clients.aws import Clients

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.literals import ExecutionStatusType

BAD_ENDS: tuple[ExecutionStatusType, ...] = ("FAILED", "TIMED_OUT", "ABORTED")


class StatusChanges:
    """Announces executions that ended other than well, each once, on the default bus."""

    def __init__(self, clients: Clients, state_machine_arn: str) -> None:
        self._clients = clients
        self._state_machine_arn = state_machine_arn
        self._announced: set[str] = set()

    def turn(self) -> None:
        """Look once."""
        for status in BAD_ENDS:
            pages = self._clients.stepfunctions.get_paginator("list_executions").paginate(
                stateMachineArn=self._state_machine_arn, statusFilter=status
            )
            for page in pages:
                for execution in page["executions"]:
                    self._announce(execution["executionArn"], status)

    def _announce(self, execution_arn: str, status: str) -> None:
        if execution_arn in self._announced:
            return
        detail = {
            "executionArn": execution_arn,
            "stateMachineArn": self._state_machine_arn,
            "name": execution_arn.rsplit(":", 1)[-1],
            "status": status,
        }
        entry = {
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Detail": json.dumps(detail),
            "Resources": [execution_arn],
        }
        self._clients.events.put_events(Entries=[entry])  # type: ignore[list-item]
        self._announced.add(execution_arn)
