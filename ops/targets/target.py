"""Which pipeline the operator talks to: what every verb may ask of it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dicom_ingest.contracts.platform.wiring import function_name
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.index import Row
from ops.errors import FunctionFailedError


@dataclass(frozen=True)
class Target:
    """One stack, on this machine or on AWS."""

    name: str
    stack: str
    bucket: str
    state_machine_arn: str
    dead_letters_url: str
    poll_seconds: float
    index: Connection
    """Reads only, and no task tokens."""
    open_writer: Callable[[], Connection]
    """For `slots`: the caller closes it."""
    client: Callable[[str], Any]
    """A boto3 client by its service's name."""
    edges_say: Callable[[], list[Row]]
    """What the edges last said of themselves: the fields of a heartbeat, or `trouble`."""
    log_errors: Callable[[datetime], list[Row]]
    """Error lines that the functions have logged since: `function`, `message` and the line's other fields."""
    edges_hold: Callable[[str], list[Row]] = lambda _: []
    """Series that a term means and that an edge holds, or `trouble`: see `ops.targets.at_edges`."""
    who: Callable[[], str] = getpass.getuser
    """Who the operator is: changes are written down with this name."""
    edge_address: tuple[str, int] | None = None
    """Where the one edge of a local run listens."""

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource beside the state machine."""
        _, partition, _, region, account, *_ = self.state_machine_arn.split(":")
        return f"arn:{partition}:{service}:{region}:{account}:{resource}"

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """The reply of one of our functions.

        Raises:
            FunctionFailedError: there is none.
        """
        name = function_name(self.stack, function)
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        reply = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise FunctionFailedError(f"{name}: {reply.get('errorType')}: {reply.get('errorMessage')}")
        return reply

    def grant(self) -> int:
        """Run the grant step and tell the executions; how many tickets were granted."""
        granted: int = self.invoke("release_import_slot", {"execution_arn": "operator", "state": {}})[
            "granted"
        ]
        return granted
