"""Errors of functions reach the state machine under the names that it knows in the cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.lambda_functions import function_arn
from tests.support.local.runtime import LocalAws, function, local_aws


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("aws")) as aws:
        aws.deploy(
            function("echo"),
            function("fail"),
            function("leave"),
            function("hang", timeout_seconds=0.2),
        )
        yield aws


def task(name: str, **more: Any) -> dict[str, Any]:
    """A Task as in our own state machine."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function_arn(name), "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "TimeoutSeconds": 30,
        "End": True,
        **more,
    }


def test_a_task_gets_its_payload_and_gives_its_result(aws: LocalAws) -> None:
    ended = aws.run(aws.state_machine({"Echo": task("echo")}), {"series": "1.2.3"})
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"series": "1.2.3"}


@pytest.mark.parametrize(
    ("name", "error"),
    [("fail", "SlotLostError"), ("hang", "Sandbox.Timedout"), ("leave", "Runtime.ExitError")],
)
def test_a_catch_finds_the_error_by_its_name(aws: LocalAws, name: str, error: str) -> None:
    caught = [{"ErrorEquals": [error], "ResultPath": "$.error", "Next": "Caught"}]
    machine = aws.state_machine({"Try": task(name, Catch=caught), "Caught": {"Type": "Succeed"}})
    ended = aws.run(machine, {"why": "gone", "status": 1})
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["error"]["Error"] == error


def test_an_unknown_function_fails_the_execution_with_lambdas_error(aws: LocalAws) -> None:
    ended = aws.run(aws.state_machine({"Nobody": task("nobody")}), {})
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")
