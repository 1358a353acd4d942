"""The same verbs against a stack: the SDK's own clients, CloudFormation's outputs and the Data API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from ops.__main__ import main
from tests.e2e.console.running import ConsoleRun
from tests.support.iam.recording import own_calls_recorded
from tests.support.runtime import eventually
from tests.support.stack import stack_of

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def variables(console: ConsoleRun) -> Iterator[dict[str, str]]:
    """What leads the SDK to the stack."""
    with stack_of(console.runtime.state) as found:
        yield found


@pytest.fixture(scope="module")
def as_operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Opens a block whose calls are the operator's; docs/deployer-policy.json allows those and no others."""
    log = tmp_path_factory.mktemp("calls") / "operator.jsonl"
    with own_calls_recorded("operator", "operator", log) as block:
        yield block


@pytest.fixture
def asked(
    console: ConsoleRun,
    variables: dict[str, str],
    as_operator: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str, str]]:
    """One verb, to its end, against the stack or (`local=True`) against the run."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stack = ["--stack", console.runtime.state.stack, "--region", "us-east-1"]

    def run(*arguments: str, local: bool = False) -> tuple[int, str, str]:
        with nullcontext() if local else as_operator():
            code = main([*arguments, *(["--runs", str(console.runs)] if local else stack)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def answer(asked: Callable[..., tuple[int, str, str]]) -> Ask:
    """The JSON of a verb."""

    def run(*arguments: str, local: bool = False) -> Any:
        _, out, err = asked(*arguments, "--json", local=local)
        assert err == "", err
        return json.loads(out)

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("where", "PH26-0002"),
        ("ledger", "--since", "2020-01-01"),
        ("slots",),
        ("reprocess", "PH26-0001", "--dry-run"),
        ("audit",),
        ("sql", "SELECT pk, state, status, attempt, created_at FROM Ahlijob ORDER BY pk"),
        ("sql", "SELECT pk, study_date, modalities_in_study, unparsed FROM Study ORDER BY pk"),
    ],
    ids=" ".join,
)
def test_a_verb_answers_as_it_does_of_the_run(answer: Ask, arguments: tuple[str, ...]) -> None:
    assert answer(*arguments) == answer(*arguments, local=True)


def test_status_and_edges_come_from_the_index_and_the_heartbeats(answer: Ask) -> None:
    on_aws, local = answer("status", "--modality", "CT"), answer("status", "--modality", "CT", local=True)
    assert on_aws["series_transfers"] == local["series_transfers"]
    assert on_aws["edges_say"][0]["heartbeat_at"] == "2026-11-22T08:00:00Z"
    assert on_aws["edges_say"][0]["edge"] == local["edges_say"][0]["edge"]
    assert answer("edges")["index_says"] == answer("edges", local=True)["index_says"]


def test_a_series_that_is_still_at_an_edge_is_found_there_with_the_reason(
    asked: Callable[..., tuple[int, str, str]], answer: Ask
) -> None:
    code, out, _ = asked("where", "1.2.3.1.1")
    assert code == 0
    edge = answer("edges")["edges_say"][0]["edge"]
    assert f"{edge}, sealed since 2026-11-22 07:44:00; 3 of 19 instances in S3" in out
    assert "no upload has succeeded since 2026-11-22T07:45:00Z" in out
    assert "NoSuchBucket" in out
    both = answer("where", "1.2.3.1")
    assert [row["at_edge"]["state"] for row in both] == ["sealed", "received"]
    code, _, err = asked("where", "1.2.3.9")
    assert code == 1
    assert "does not know 1.2.3.9" in err


def test_a_series_is_queued_raised_cancelled_and_worked_on_again(answer: Ask) -> None:
    (series,) = [row for row in answer("status")["series_transfers"] if row["series_description"] == "Scout"]
    uid = series["series_instance_uid"]
    assert answer("slots", "pause")["semaphores"][0]["paused"]
    (started,) = answer("reprocess", uid, "--force")
    assert started["execution"].startswith("arn:aws:states:")
    (ticket,) = eventually(lambda: answer("slots")["tickets"])
    number = str(ticket["ticket_id"])
    assert answer("slots", "raise", number)["tickets"][0]["priority"] == -1
    assert answer("slots", "cancel", number, "--reason", "by mistake")["tickets"] == []
    eventually(lambda: answer("where", uid)[0]["found"]["place"] == "FAILED")
    assert "TicketCancelled" in answer("where", uid)[0]["found"]["detail"]
    assert answer("slots", "resume")["granted"] == 0
    (again,) = answer("reprocess", "--outcome", "FAILED")
    assert again["series_instance_uid"] == uid
    eventually(lambda: answer("where", uid)[0]["found"]["place"] in ("COMPLETED", "DUPLICATE"))


def test_the_archive_is_replayed_and_what_is_imported_is_left_alone(
    answer: Ask, asked: Callable[..., tuple[int, str, str]]
) -> None:
    imports = "SELECT count(*) AS imports FROM Ahlijob WHERE import_id IS NOT NULL"
    fences = "SELECT sum(fence) AS fences FROM series_transfer"
    before, owned = answer("sql", imports), answer("sql", fences)
    name = f"again-{time.time_ns()}"
    assert answer("replay", "--replay-name", name)["replay"] == name
    eventually(lambda: int(answer("sql", fences)[0]["fences"]) >= int(owned[0]["fences"]) + 7)
    eventually(lambda: answer("status", "--under-way")["series_transfers"] == [])
    assert answer("sql", imports) == before
    code, out, _ = asked("tail", "--all", "--seconds", "0")
    assert (code, len(out.splitlines())) == (0, 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sql", "DELETE FROM Ahliimageset"), "permission denied for"),
        (("sql", "SELECT task_token FROM Ahlijob"), 'column "task_token" does not exist'),
        (("replay", "--replay-name", "twice/"), "A-Z a-z 0-9 . - _ are allowed"),
    ],
)
def test_what_is_refused_is_one_line(
    asked: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = asked(*arguments)
    assert code in (1, 2)
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("asked")
def test_another_stack_is_said_not_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--stack", "nowhere", "--region", "us-east-1"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no stack nowhere in us-east-1: see --stack and --region\n"
    )
