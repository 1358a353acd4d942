"""Executions and events as files, to read after the run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.clients.aws import Clients

END_SECONDS = 60.0


def export(clients: Clients, state_machine_arn: str, folder: Path) -> int:
    """Write each execution's history below ``executions/`` and its event below ``events/``; how many."""
    count = 0
    for arn in _executions(clients, state_machine_arn):
        found = _ended(clients, arn)
        event = json.loads(found["input"])
        name = f"{event['detail']['series_instance_uid']}.{found['name']}.json"
        _write(folder / "events" / name, event)
        described = {key: value for key, value in found.items() if key not in ("ResponseMetadata", "input")}
        _write(folder / "executions" / name, {**described, "events": _history(clients, arn)})
        count += 1
    return count


def _executions(clients: Clients, state_machine_arn: str) -> Iterator[str]:
    pages = clients.stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn)
    for page in pages:
        for execution in page["executions"]:
            yield execution["executionArn"]


def _ended(clients: Clients, arn: str) -> dict[str, Any]:
    """The execution once it is over: after the outcome is written it still gives its slot back."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        found = clients.stepfunctions.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING" or time.monotonic() > deadline:
            return dict(found)
        time.sleep(0.05)


def _history(clients: Clients, arn: str) -> list[Any]:
    pages = clients.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
