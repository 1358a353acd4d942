"""The local Lambda service answers boto3 as Lambda does: results, errors, time-outs, crashes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug.exceptions import NotFound
from werkzeug.serving import make_server

from local.aws.lambda_functions import LambdaFunction, function_arn, function_name
from local.aws.lambda_service import LambdaMiddleware, LambdaService

HANDLERS = "tests.support.local.functions"
FUNCTIONS = [
    LambdaFunction(name=f"test-{name}", handler=f"{HANDLERS}.{name}")
    for name in (
        "echo",
        "environment",
        "context",
        "fail",
        "leave",
        "die",
        "unserialisable",
        "too_much",
        "missing",
    )
] + [
    LambdaFunction(name="test-count", handler=f"{HANDLERS}.count", concurrency=1),
    LambdaFunction(name="test-meet", handler=f"{HANDLERS}.meet", concurrency=2),
    LambdaFunction(name="test-hang", handler=f"{HANDLERS}.hang", timeout_seconds=0.2, concurrency=1),
    LambdaFunction(name="test-no_module", handler="tests.support.no_such_module.handler"),
    LambdaFunction(
        name="test-settings", handler=f"{HANDLERS}.environment", environment={"STACK": "s"}, memory_mb=256
    ),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaService]:
    service = LambdaService(tmp_path_factory.mktemp("logs"), functions=FUNCTIONS)
    yield service
    service.close()


@pytest.fixture(scope="module")
def client(service: LambdaService) -> Iterator[Any]:
    server = make_server("127.0.0.1", 0, LambdaMiddleware(NotFound(), service), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield lambda_client(server.port)
    server.shutdown()
    thread.join()
    server.server_close()


def lambda_client(port: int) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def invoke(client: Any, name: str, event: Any = None) -> Any:
    answer = client.invoke(FunctionName=f"test-{name}", Payload=json.dumps(event or {}))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.load(answer["Payload"])


def error_of(client: Any, name: str, event: Any = None) -> Any:
    answer = client.invoke(FunctionName=f"test-{name}", Payload=json.dumps(event or {}))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    return json.load(answer["Payload"])


def test_the_reply_is_the_handlers_result(client: Any) -> None:
    event = {"PatientName": "Müller^Jürgen", "numbers": [1, 2.5, None, True]}
    assert invoke(client, "echo", event) == event


@pytest.mark.parametrize(
    "name",
    [
        "test-echo",
        "arn:aws:lambda:us-east-1:123456789012:function:test-echo",
        "arn:aws:lambda:us-east-1:123456789012:function:test-echo:$LATEST",
        "123456789012:function:test-echo",
        "test-echo:$LATEST",
    ],
)
def test_a_function_is_found_by_name_and_by_arn(client: Any, name: str) -> None:
    assert function_name(name) == "test-echo"
    assert client.invoke(FunctionName=name)["ExecutedVersion"] == "$LATEST"


def test_an_exception_is_reported_by_its_class_name_with_its_stack(client: Any) -> None:
    error = error_of(client, "fail", {"why": "the slot is gone"})
    assert error["errorType"] == "SlotLostError"
    assert error["errorMessage"] == "the slot is gone"
    assert error["requestId"]
    assert "in fail" in error["stackTrace"][-1]


def test_an_environment_keeps_its_module_state_also_after_an_error(client: Any) -> None:
    first, second = invoke(client, "count"), invoke(client, "count")
    assert second == {"calls": first["calls"] + 1, "pid": first["pid"]}


def test_a_function_sees_its_own_variables_and_lambdas_and_nothing_of_the_hosts(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    environment = invoke(client, "settings")
    assert environment["STACK"] == "s"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "test-settings"
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["TZ"] == ":UTC"
    assert not environment.keys() & {"SECRET_OF_THE_HOST", "HOME", "PYTEST_CURRENT_TEST"}


def test_the_context_object_has_what_powertools_reads(client: Any) -> None:
    context = invoke(client, "context")
    assert context["function_name"] == "test-context"
    assert context["memory_limit_in_mb"] == 512
    assert context["invoked_function_arn"] == function_arn("test-context")
    assert len(context["aws_request_id"]) == 36
    assert 50_000 < context["remaining"] <= 60_000


def test_a_function_that_takes_too_long_is_killed_and_the_next_one_gets_a_fresh_environment(
    client: Any,
) -> None:
    for _ in range(2):  # one environment is allowed: the second proves that the first is gone
        error = error_of(client, "hang")
        assert error["errorType"] == "Sandbox.Timedout"
        assert error["errorMessage"].endswith("Task timed out after 0.20 seconds")


@pytest.mark.parametrize(
    ("name", "event", "ending"),
    [
        ("leave", {"status": 3}, "Runtime exited with error: exit status 3"),
        ("leave", {"status": 0}, "Runtime exited without providing a reason"),
        ("die", {}, "Runtime exited with error: signal: SIGKILL"),
    ],
)
def test_a_crash_is_reported_with_how_it_ended(client: Any, name: str, event: Any, ending: str) -> None:
    error = error_of(client, name, event)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(ending)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("no_module", "Runtime.ImportModuleError"),
        ("missing", "Runtime.HandlerNotFound"),
        ("unserialisable", "Runtime.MarshalError"),
        ("too_much", "Function.ResponseSizeTooLarge"),
    ],
)
def test_what_the_runtime_itself_finds_wrong_has_lambdas_error_type(
    client: Any, name: str, kind: str
) -> None:
    assert error_of(client, name)["errorType"] == kind


def test_environments_of_a_function_run_at_the_same_time_up_to_its_cap(client: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as threads:
        reader = threads.submit(invoke, client, "meet", {"pipe": str(pipe), "mode": "r"})
        writer = threads.submit(invoke, client, "meet", {"pipe": str(pipe), "mode": "w"})
        assert (reader.result(30), writer.result(30)) == (1, 1)


def test_invocations_beyond_the_cap_wait_for_their_turn(client: Any) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: invoke(client, "count"), range(8)))
    assert len({answer["pid"] for answer in answers}) == 1
    assert len({answer["calls"] for answer in answers}) == 8


def test_an_unknown_function_is_an_error_of_the_service(client: Any) -> None:
    with pytest.raises(ClientError, match=r"Function not found: arn:aws:lambda:.*:function:nobody") as caught:
        client.invoke(FunctionName="nobody")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_asynchronous_invocation_is_refused_with_what_is_allowed(client: Any) -> None:
    with pytest.raises(ClientError, match="RequestResponse and DryRun are allowed"):
        client.invoke(FunctionName="test-echo", InvocationType="Event")


def test_what_a_function_prints_and_raises_lies_in_its_log(tmp_path: Path) -> None:
    function = LambdaFunction(name="noisy", handler=f"{HANDLERS}.fail")
    service = LambdaService(tmp_path, functions=[function])
    try:
        service.invoke("noisy", '{"why": "for the log"}')
        log = (tmp_path / "noisy.log").read_text()
    finally:
        service.close()
    assert "START RequestId" in log
    assert "for the log" in log
    assert "Max Memory Used" in log


def test_without_the_process_that_functions_are_started_from_the_service_says_that_it_is_lost(
    tmp_path: Path,
) -> None:
    before = {child.pid for child in psutil.Process().children()}
    lost = threading.Event()
    service = LambdaService(tmp_path, functions=FUNCTIONS, on_lost=lost.set)
    (zygote,) = [child for child in psutil.Process().children() if child.pid not in before]
    zygote.kill()
    assert lost.wait(30)
    service.close()
