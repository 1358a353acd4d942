"""`ops verify` against a run and against a stack: what is checked, what a fault looks like, what is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dicom_ingest.contracts.platform.functions import FUNCTIONS
from dicom_ingest.contracts.platform.wiring import bus_name, function_name, rule_name
from local.aws.lambda_functions import REGION
from local.run.options import Options
from local.runtime import Runtime
from ops.__main__ import main
from tests.support.cloud.stack import stack_of
from tests.support.machine.waiting import wait_until

Verify = Callable[..., tuple[int, dict[str, Any]]]
STAGES = [
    "sent", "manifest", "objects", "event", "rows", "import", "image set", "slot", "execution", "ledger",
    "alarms", "logs",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A run of its own: others count what is in theirs."""
    options = Options(
        name="verify",
        runs=tmp_path_factory.mktemp("runs"),
        quiet_seconds=0.5,
        fast_imports=True,
        start_rate=100,
        start_burst=100,
    )
    with Runtime(options) as runtime:
        yield runtime


@pytest.fixture
def verify(run: Runtime, capsys: pytest.CaptureFixture[str]) -> Verify:
    """The verb against the run: exit code and document."""

    def verified(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main(["verify", *arguments, "--json", "--runs", str(run.options.runs)])
        said = capsys.readouterr()
        assert said.err == "", said.err
        return code, json.loads(said.out)

    return verified


@pytest.fixture(scope="module")
def variables(run: Runtime) -> Iterator[dict[str, str]]:
    """What leads the SDK to the stack."""
    with stack_of(run.state) as found:
        yield found


@pytest.fixture
def stack(run: Runtime, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that lead to the stack on AWS, and what makes the SDK find it here."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return ["--stack", run.state.stack, "--region", REGION]


def client(run: Runtime, service: str) -> Any:
    url = run.state.healthimaging_url if service == "medical-imaging" else run.state.aws_url
    config = Config(proxies={}, inject_host_prefix=False)
    session: Any = boto3.Session("local", "local", region_name=REGION)
    return session.client(service, endpoint_url=url, config=config)


def states(document: dict[str, Any]) -> dict[str, str]:
    return {finding["stage"]: finding["state"] for finding in document["stages"]}


@pytest.mark.parametrize("way", [[], ["--no-edge"]], ids=["through the edge", "straight"])
def test_a_study_is_followed_from_its_first_byte_to_its_image_set(verify: Verify, way: list[str]) -> None:
    code, document = verify(*way)
    assert (code, document["ok"]) == (0, True), document
    assert states(document) == dict.fromkeys(STAGES, "ok")
    assert list(states(document)) == STAGES
    assert document["deleted"] == []


def test_on_request_all_that_it_made_is_taken_away_and_nothing_else(verify: Verify, run: Runtime) -> None:
    state = run.state
    s3, imaging = client(run, "s3"), client(run, "medical-imaging")
    before = _keys(s3, state.bucket), _image_sets(imaging, state.datastore_id)
    code, document = verify("--clean-up")
    assert code == 0, document
    assert len(document["deleted"]) == 2
    assert _keys(s3, state.bucket) == before[0]
    wait_until(lambda: _image_sets(imaging, state.datastore_id) == before[1])


def test_an_edge_that_is_not_there_fails_the_first_stage_and_says_where_to_read(verify: Verify) -> None:
    code, document = verify("--edge", "127.0.0.1:9")
    assert code == 1
    sent, *others = document["stages"]
    assert (sent["state"], sent["see"]) == ("failed", "docs/aws.md#when-something-is-wrong")
    assert "127.0.0.1:9" in sent["words"]
    assert {f["state"] for f in others if f["stage"] not in ("alarms", "logs")} == {"not reached"}


def test_a_bus_without_its_rule_is_found_at_the_event(verify: Verify, run: Runtime) -> None:
    stack, events = run.state.stack, client(run, "events")
    rule = {"Rule": rule_name(stack), "EventBusName": bus_name(stack)}
    targets = events.list_targets_by_rule(**rule)["Targets"]
    # Without targets: moto delivers for a disabled rule, too.
    events.remove_targets(**rule, Ids=[target["Id"] for target in targets])
    try:
        code, document = verify("--no-edge", "--seconds", "2")
    finally:
        events.put_targets(**rule, Targets=targets)
    assert code == 1
    found = states(document)
    assert [found[name] for name in ("sent", "manifest", "objects", "event", "rows")] == [
        "ok", "ok", "ok", "failed", "not reached",
    ]  # fmt: skip
    (event,) = [f for f in document["stages"] if f["stage"] == "event"]
    assert "dead-letter queue" in event["words"]
    assert event["see"] == "docs/operations.md#undelivered-events"


def test_for_people_each_stage_is_a_line(run: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--no-edge", "--images", "1", "--runs", str(run.options.runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["ok", name] for name in STAGES[:3]]
    assert lines[-1] == "everything works"


def test_of_a_stack_alarms_and_logs_are_asked_of_cloudwatch(
    stack: list[str], run: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an operator after a deployment, before there is an edge."""
    name = run.state.stack
    cloudwatch, logs = client(run, "cloudwatch"), client(run, "logs")
    _log_groups(logs, name)
    assert main(["verify", "--no-edge", "--json", *stack]) == 0, capsys.readouterr()
    study = json.loads(capsys.readouterr().out)
    assert states(study) == dict.fromkeys(STAGES, "ok")

    alarm = {"Namespace": "x", "MetricName": "y", "ComparisonOperator": "GreaterThanThreshold", "Period": 60}
    cloudwatch.put_metric_alarm(AlarmName=f"{name}-gate-closed", EvaluationPeriods=1, Threshold=1, **alarm)
    cloudwatch.set_alarm_state(AlarmName=f"{name}-gate-closed", StateValue="ALARM", StateReason="a test")
    try:
        assert main(["verify", "--no-edge", "--json", *stack]) == 1
    finally:
        cloudwatch.delete_alarms(AlarmNames=[f"{name}-gate-closed"])
    found = json.loads(capsys.readouterr().out)
    assert [f["words"] for f in found["stages"] if f["state"] != "ok"] == [f"ringing: {name}-gate-closed"]


def test_on_aws_it_asks_which_way(stack: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *stack]) == 2
    assert "--edge HOST[:PORT], or --no-edge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--images", "0"), "--images must be from 1 to 100, not 0"),
        (("--edge", "host:port"), "--edge must be HOST or HOST:PORT, not 'host:port'"),
    ],
)
def test_wrong_input_is_one_line(
    run: Runtime, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert main(["verify", *arguments, "--runs", str(run.options.runs)]) == 2
    assert capsys.readouterr().err == f"error: {words}\n"


def _keys(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def _image_sets(imaging: Any, datastore: str) -> set[str]:
    pages = imaging.get_paginator("search_image_sets").paginate(datastoreId=datastore)
    return {found["imageSetId"] for page in pages for found in page["imageSetsMetadataSummaries"]}


def _log_groups(logs: Any, stack: str) -> None:
    """Empty, as functions without an error leave them."""
    for function in FUNCTIONS:
        logs.create_log_group(logGroupName=f"/aws/lambda/{function_name(stack, function.name)}")
