"""The same verbs against a stack: the SDK's own clients, CloudFormation's outputs and the Data API."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from werkzeug.test import Client

from console.application import Application
from console.run.sources import Sources
from local.postgres.databases import session
from ops.__main__ import main
from ops.targets.aws import aws_target
from ops.targets.source import TargetSource
from tests.e2e.console.running import ConsoleRun
from tests.support.cloud.stack import stack_of
from tests.support.iam.recording import own_calls_recorded
from tests.support.machine.waiting import wait_until

CHANGES_THE_RUN = True
Ask = Callable[..., Any]
BODY = '<tbody><tr class="study"'
ORIGIN = {"Origin": "http://localhost"}


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
        ("custody", "--verify"),
        ("cost",),
        ("modalities",),
        ("modalities", "--since", "2020-01-01", "--by-day"),
        ("reprocess", "PH26-0001", "--dry-run"),
        ("audit",),
        ("sql", "SELECT pk, state, status, attempt, created_at FROM Ahlijob ORDER BY pk"),
        ("sql", "SELECT pk, study_date, modalities_in_study, unparsed FROM Study ORDER BY pk"),
    ],
    ids=" ".join,
)
def test_a_verb_answers_as_it_does_of_the_run(answer: Ask, arguments: tuple[str, ...]) -> None:
    assert answer(*arguments) == answer(*arguments, local=True)


def test_a_list_of_studies_is_compared_as_it_is_with_the_run(
    answer: Ask, asked: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    counted: dict[str, list[int]] = {}
    for row in answer("status")["series_transfers"]:
        counted.setdefault(row["study_instance_uid"], []).append(row["instances"])
    lines = [f"{study};{len(series)};{sum(series)}" for study, series in counted.items()]
    path = tmp_path / "pacs.csv"
    path.write_text("\n".join(["StudyInstanceUID;Series;Instances", *lines]))
    code, out, err = asked("reconcile", str(path))
    assert (code, err) == (0, "")
    assert f"{len(lines)} of {len(lines)} studies arrived, 91 of 91 instances are imported" in out
    path.write_text("\n".join([*lines, "1.2.3.9;1;4"]))
    differs = answer("reconcile", str(path))
    assert [row["difference"] for row in differs["differences"]] == ["nothing was received: send it"]
    assert differs == answer("reconcile", str(path), local=True)
    assert asked("reconcile", str(path))[0] == 1
    assert asked("reconcile", str(tmp_path / "absent.csv"))[0] == 2


def test_the_custody_of_a_study_is_the_same(answer: Ask) -> None:
    study = answer("where", "PH26-0002")[0]["found"]["study_instance_uid"]
    found = answer("custody", study)
    assert found.pop("pipeline") == "stack dicom-ingest in us-east-1"
    assert found.items() < answer("custody", study, local=True).items()


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
    (ticket,) = wait_until(lambda: answer("slots")["tickets"])
    number = str(ticket["ticket_id"])
    assert answer("slots", "raise", number)["tickets"][0]["priority"] == -1
    assert answer("slots", "cancel", number, "--reason", "by mistake")["tickets"] == []
    wait_until(lambda: answer("where", uid)[0]["found"]["place"] == "FAILED")
    assert answer("where", uid)[0]["found"]["detail"].startswith("TicketCancelled")
    assert "by mistake" in answer("where", uid)[0]["found"]["detail"]
    assert answer("slots", "resume")["granted"] == 0
    (again,) = answer("reprocess", "--outcome", "FAILED")
    assert again["series_instance_uid"] == uid
    wait_until(lambda: answer("where", uid)[0]["found"]["place"] in ("COMPLETED", "DUPLICATE"))


def test_the_archive_is_replayed_and_what_is_imported_is_left_alone(
    answer: Ask, asked: Callable[..., tuple[int, str, str]]
) -> None:
    imports = "SELECT count(*) AS imports FROM Ahlijob WHERE import_id IS NOT NULL"
    fences = "SELECT sum(fence) AS fences FROM series_transfer"
    before, owned = answer("sql", imports), answer("sql", fences)
    name = f"again-{time.time_ns()}"
    assert answer("replay", "--replay-name", name)["replay"] == name
    wait_until(lambda: int(answer("sql", fences)[0]["fences"]) >= int(owned[0]["fences"]) + 7)
    wait_until(lambda: answer("status", "--under-way")["series_transfers"] == [])
    assert answer("sql", imports) == before
    code, out, _ = asked("tail", "--all", "--seconds", "0")
    assert (code, len(out.splitlines())) == (0, 7)


def test_a_series_is_acknowledged_and_put_back_with_who_and_why_in_its_timeline(
    answer: Ask, console: ConsoleRun
) -> None:
    (row,) = [each for each in answer("status")["series_transfers"] if each["series_description"] == "Scout"]
    uid = row["series_instance_uid"]
    known = "SELECT state, outcome FROM series_transfer WHERE pk = :pk"
    ended = "UPDATE series_transfer SET outcome = :outcome WHERE pk = :pk"
    with session(console.runtime.state.database_url) as connection:
        (before,) = connection.run(known, pk=row["pk"])
        connection.run(ended, pk=row["pk"], outcome="PARTIAL")
    assert [each["pk"] for each in answer("acknowledge", uid, "--dry-run")] == [row["pk"]]
    assert len(answer("status", "--needs-attention")["series_transfers"]) == 1
    assert len(answer("acknowledge", uid, "--reason", "agreed with radiology")) == 1
    assert answer("status", "--needs-attention")["series_transfers"] == []
    assert answer("acknowledge", uid, "--reason", "once more") == []
    steps = answer("where", uid)[0]["timeline"]["steps"]
    told = [step for step in steps if step["name"].startswith("acknowledged by ")]
    assert [step["words"] for step in told] == ["agreed with radiology"]
    assert len(answer("acknowledge", uid, "--undo")) == 1
    assert len(answer("status", "--needs-attention")["series_transfers"]) == 1
    with session(console.runtime.state.database_url) as connection:
        connection.run(ended, pk=row["pk"], outcome=before["outcome"])


@pytest.fixture
def on_aws(
    console: ConsoleRun,
    variables: dict[str, str],
    as_operator: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client[Any]]:
    """The stack's console, which asks as the operator, in this thread."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (
        as_operator(),
        aws_target(console.runtime.state.stack, region="us-east-1") as target,
    ):
        sources = Sources(TargetSource(target))
        yield Client(Application(sources))


def fetched(console: Client[Any] | str, path: str, **form: str) -> bytes:
    """A page of the stack's console, or by HTTP of the run's."""
    if isinstance(console, Client):
        said = console.open(path, method="POST" if form else "GET", data=form or None, headers=ORIGIN)
        assert said.status_code in (200, 303), said.text
        shown: bytes = said.data
        return shown
    with build_opener(ProxyHandler({})).open(console + path, timeout=60) as answer:
        body: bytes = answer.read()
    return body


def part(page: bytes, begin: str) -> str:
    """The page's text from here to the foot, without the addresses of pictures."""
    text = page.decode()
    return text[text.index(begin) : text.index("<footer")]


def test_the_console_of_a_stack_shows_what_the_one_of_the_run_shows(
    console: ConsoleRun, on_aws: Client[Any]
) -> None:
    for path, begin in {
        "/": BODY,
        "/?q=PH26-0001": BODY,
        "/slots": "<h1",
        "/ledger": "<h1",
        "/modalities": "<h1",
        "/?sort=-instances&modality=CT": BODY,
        "/bulk?change=reprocess&place=COMPLETED": "<h1",
        "/bulk?change=cancel": "<h1",
    }.items():
        assert part(fetched(on_aws, path), begin) == part(fetched(console.url, path), begin), path
    first = fetched(on_aws, "/").decode()
    assert "no upload has succeeded since 2026-11-22T07:45:00Z" in first
    assert "1.2.3.1.1" in first, "a series at an edge"
    edges = fetched(on_aws, "/edges").decode()
    assert "2026-11-22 08:00:00" in edges
    series = re.search(r'href="(/series/[^"]+)"[^>]*><b>CT</b> Axial', first)
    assert series is not None
    mine, local = (fetched(each, series[1]) for each in (on_aws, console.url))
    assert part(mine, "Timeline") == part(local, "Timeline")
    for link in (r'href="(/study/[^"]+)"', r'href="(/series/[^"]+/instances/[^"]+)"'):
        (path, *_) = re.findall(link, mine.decode())
        assert part(fetched(on_aws, path), "<h1") == part(fetched(console.url, path), "<h1"), path
    for picture in ("/frames/5.png", "/thumbnail", "/frames/1.png?small=yes"):
        assert fetched(on_aws, series[1] + picture) == fetched(console.url, series[1] + picture)


def test_what_the_console_of_a_stack_changes_is_written_down_with_the_callers_identity(
    console: ConsoleRun, on_aws: Client[Any]
) -> None:
    store = console.runtime.state.datastore_id
    fetched(on_aws, "/slots", change="pause", datastore=store)
    assert "Granting is paused by " in fetched(on_aws, "/").decode()
    fetched(on_aws, "/slots", change="resume", datastore=store)
    with session(console.runtime.state.database_url) as connection:
        rows = connection.run("SELECT who, action FROM operator_action ORDER BY pk DESC LIMIT 2")
    assert [row["action"] for row in rows] == ["granting resumed", "granting paused"]
    assert all("/" in row["who"] or row["who"] == "root" for row in rows), rows


def test_the_console_of_a_stack_reprocesses_many_and_says_who_and_why(
    console: ConsoleRun, on_aws: Client[Any]
) -> None:
    asked = fetched(on_aws, "/bulk?change=reprocess&place=COMPLETED&modality=DX").decode()
    marks = re.findall(r'name="mark" value="([^"]+)"', asked)
    assert len(marks) == 1
    done = fetched(on_aws, "/bulk", change="reprocess", mark=marks[0], reason="a rehearsal").decode()
    assert "Reprocessing 1 series" in done
    with session(console.runtime.state.database_url) as connection:
        (row,) = connection.run("SELECT who, action, reason FROM operator_action ORDER BY pk DESC LIMIT 1")
    assert (row["action"], row["reason"]) == ("reprocess", "a rehearsal")
    assert "/" in row["who"] or row["who"] == "root"


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
