"""The operator's verbs against a real run: what is asked, what is changed, what a wrong word says."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from local.clients.aws import Clients
from local.postgres.databases import session
from ops.__main__ import main
from tests.e2e.console.running import ConsoleRun
from tests.support.machine.waiting import wait_until

Ops = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ops(console: ConsoleRun, capsys: pytest.CaptureFixture[str]) -> Ops:
    """One verb, to its end: exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--runs", str(console.runs)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def answer(ops: Ops, *arguments: str) -> Any:
    code, out, err = ops(*arguments, "--json")
    assert err == "", err
    assert code in (0, 1)
    return json.loads(out)


@pytest.mark.parametrize("term", ["PH26-0002", "PHANTOM-0002"])
def test_where_is_my_study(ops: Ops, term: str) -> None:
    code, out, _ = ops("where", term)
    assert code == 0
    assert "T1 axial" in out
    for step in ("first received", "sealed", "indexed", "slot granted", "import over", "slot released"):
        assert out.count(step) == 2, step
    assert out.count("21 IMPORTED") == 4  # per series: its image set's step and the verdicts
    found = answer(ops, "where", term)
    assert {each["found"]["place"] for each in found} == {"COMPLETED"}
    assert all(each["timeline"]["waits_for"] is None for each in found)


def test_many_series_are_a_table_first(ops: Ops) -> None:
    code, out, _ = ops("where", "CLIENT_AE")
    assert code == 0
    assert "Series transfers (7)" in out


def test_what_nobody_knows_is_one_line(ops: Ops) -> None:
    code, _, err = ops("where", "1.2.3")
    assert code == 1
    assert err.startswith("error: local run console does not know 1.2.3 as study, series, instance")
    assert err.count("\n") == 1


def test_status_ledger_edges_and_audit_agree(ops: Ops) -> None:
    status = answer(ops, "status", "--modality", "CT")
    assert len(status["series_transfers"]) == 3
    assert status["flow"]["instances_imported"] == 91
    assert sum(status["outcomes"].values()) == 7
    said = ops("status")[1]
    assert all(f"{count} {outcome}" in said for outcome, count in status["outcomes"].items())
    ledger = answer(ops, "ledger")
    assert ledger["differences"] == []
    assert sum(row["imported"] for row in ledger["sums"]) == 91
    edges = answer(ops, "edges")
    assert edges["edges_say"][0]["instances_received"] == edges["index_says"][0]["instances"] == 91
    audit = answer(ops, "audit")
    assert (audit["manifests"], audit["findings"], audit["not_looked_at"]) == (7, [], 0)


def test_custody_says_of_every_instance_who_sent_it_and_what_became_of_it(ops: Ops) -> None:
    study = answer(ops, "where", "PH26-0002")[0]["found"]["study_instance_uid"]
    found = answer(ops, "custody", study)
    assert found["study_instance_uid"] == study
    instances = [one for transfer in found["series_transfers"] for one in transfer["instances"]]
    assert len(instances) == 42
    for one in instances:
        assert (one["calling_ae"], one["called_ae"], one["peer"]) == ("CLIENT_AE", "EDGE_AE", "127.0.0.1")
        received, stored, imported = (one[f"{step}_at"][:19] for step in ("received", "stored", "imported"))
        assert received <= stored <= imported, "S3 says whole seconds"
        assert (one["verdict"], one["object"], one["image_set_version"]) == ("IMPORTED", "stored", 1)
        assert one["stored_sha256"] == one["file_sha256"]
    for transfer in found["series_transfers"]:
        assert transfer["manifest"] == "intact"
        assert transfer["chain"]["number"] >= 1
        assert transfer["sealed_at"] < transfer["announced_at"] < transfer["indexed_at"] < transfer["over_at"]
    code, out, _ = ops("custody", study)
    assert code == 0
    assert out.count("CLIENT_AE") >= 42
    assert ops("custody", "1.2.3")[2] == "error: the index of local run console has no study 1.2.3\n"
    assert ops("custody")[2] == "error: give either a STUDY_UID, or --verify\n"


def test_a_manifest_that_was_altered_or_removed_is_found(ops: Ops, console: ConsoleRun) -> None:
    whole = answer(ops, "custody", "--verify")
    [edge] = whole["edges"]
    assert (whole["whole"], edge["manifests"], edge["chained"], edge["findings"]) == (True, 7, 7, [])
    code, out, _ = ops("custody", "--verify", "--edge", edge["edge"])
    assert (code, "nothing is absent, altered or forked" in out) == (0, True)
    s3, bucket = Clients(console.runtime.state.aws_url).s3, console.runtime.state.bucket
    study = answer(ops, "where", "PH26-0001")[0]["found"]["study_instance_uid"]
    transfer = answer(ops, "custody", study)["series_transfers"][0]
    key, number = transfer["manifest_key"], transfer["chain"]["number"]
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        s3.delete_object(Bucket=bucket, Key=key)
        code, out, _ = ops("custody", "--verify")
        assert code == 1
        assert "the first broken link: absent: it was announced and indexed, and is not in S3" in out
        [finding] = answer(ops, "custody", "--verify")["edges"][0]["findings"]
        assert (finding["kind"], finding["manifest_key"], finding["number"]) == ("absent", key, number)
        forged = gzip.compress(gzip.decompress(body).replace(b'"modality"', b'"modalitY"', 1), mtime=0)
        s3.put_object(Bucket=bucket, Key=key, Body=forged)
        [finding] = answer(ops, "custody", "--verify")["edges"][0]["findings"]
        assert (finding["kind"], finding["manifest_key"]) == ("altered", key)
        code, out, _ = ops("custody", study, "--json")
        assert code == 1
        assert json.loads(out)["series_transfers"][0]["manifest"].startswith("altered: ")
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert answer(ops, "custody", "--verify")["whole"]


def test_cost_is_money_per_edge_sender_and_month(ops: Ops) -> None:
    found = answer(ops, "cost")
    [row] = found["costs"]
    assert (row["calling_ae"], row["series"], row["instances"]) == ("CLIENT_AE", 7, 91)
    assert row["imports"] > 0, "how many depends on what the other tests of this run have reprocessed"
    assert row["dollars"] == found["dollars"] > 0
    dearer = answer(ops, "cost", "--set", "s3_gb_month=100")
    assert dearer["costs"][0]["s3_storage"] > row["s3_storage"]
    assert answer(ops, "cost", "--month", "1999-01")["costs"] == []
    assert "https://aws.amazon.com/s3/pricing/" in ops("cost", "--prices")[1]
    assert ops("cost", "--set", "s3=1")[2].startswith("error: s3 is not a price; there is s3_gb_month, ")


def test_sql_answers_changes_nothing_and_shows_no_token(ops: Ops) -> None:
    assert len(answer(ops, "sql", "SELECT * FROM Ahlijob")) >= 7
    code, _, err = ops("sql", "DELETE FROM Ahliimageset")
    assert (code, err) == (1, "error: 25006: cannot execute DELETE in a read-only transaction\n")
    assert ops("sql", "SELECT task_token FROM Ahlijob")[2].endswith('column "task_token" does not exist\n')


def test_a_paused_queue_is_raised_resumed_and_told_live(ops: Ops) -> None:
    (series,) = [
        row for row in answer(ops, "status")["series_transfers"] if row["series_description"] == "Scout"
    ]
    uid = series["series_instance_uid"]
    assert answer(ops, "slots", "pause")["semaphores"][0]["paused"]
    (started,) = answer(ops, "reprocess", uid, "--force")
    assert started["execution"].startswith("arn:")
    (ticket,) = wait_until(lambda: answer(ops, "slots")["tickets"])
    assert ticket["state"] == "WAITING"
    (found,) = answer(ops, "where", uid)
    assert "granting is paused" in found["timeline"]["waits_for"]["words"]
    raised = answer(ops, "slots", "raise", str(ticket["ticket_id"]))
    assert raised["tickets"][0]["priority"] == -1
    assert answer(ops, "slots", "resume")["granted"] == 1
    wait_until(lambda: answer(ops, "where", uid)[0]["found"]["place"] == "COMPLETED")
    code, out, _ = ops("tail", "--all", "--seconds", "0")
    assert code == 0
    assert len(out.splitlines()) == 7
    versions = [row["version"] for row in answer(ops, "where", uid)[0]["timeline"]["image_sets"]]
    assert versions == [1, 2]


def test_what_would_be_reprocessed_is_listed_first(ops: Ops) -> None:
    by_term = answer(ops, "reprocess", "PH26-0001", "--dry-run")
    assert {row["manifest_key"].partition("/")[0] for row in by_term} == {"manifests"}
    assert len(by_term) == 3
    by_outcome = answer(ops, "reprocess", "--outcome", "FAILED", "--day", "2000-01-01", "--dry-run")
    assert by_outcome == []


def test_why_nothing_matched_is_said(ops: Ops) -> None:
    code, out, _ = ops("reprocess", "--modality", "XX", "--dry-run")
    assert (code, "no series has modality XX; there is CT, " in out) == (1, True)
    code, out, _ = ops("cancel", "--edge", "edge1", "--dry-run")
    assert (code, "7 match, and none waits" in out) == (1, True)
    code, _, err = ops("cancel", "--reason", "all of them")
    assert (code, err.count("\n")) == (2, 1)


def test_waiting_series_are_cancelled_by_filter_and_processed_again_each_with_who_and_why(ops: Ops) -> None:
    assert ops("slots", "pause")[0] == 0
    forced = answer(ops, "reprocess", "PH26-0002", "--force", "--reason", "a new version")
    assert len(forced) == 2
    wait_until(lambda: len(answer(ops, "slots")["tickets"]) == 2)
    code, out, _ = ops("cancel", "--modality", "mr", "--dry-run")
    assert (code, "2 series of 1 study, 42 instances" in out) == (0, True)
    assert len(answer(ops, "slots")["tickets"]) == 2, "a dry run changes nothing"
    assert len(answer(ops, "cancel", "--modality", "mr", "--reason", "the wrong archive")) == 2
    assert ops("slots", "resume")[0] == 0
    wait_until(lambda: {each["found"]["place"] for each in answer(ops, "where", "PH26-0002")} == {"FAILED"})
    selected = ("reprocess", "--outcome", "FAILED", "--modality", "mr")
    assert "2 series of 1 study, 42 instances" in ops(*selected, "--dry-run")[1]
    assert len(answer(ops, *selected, "--reason", "repaired")) == 2
    ended = {"COMPLETED", "DUPLICATE"}
    wait_until(lambda: {each["found"]["place"] for each in answer(ops, "where", "PH26-0002")} <= ended)
    for each in answer(ops, "where", "PH26-0002"):
        told = {step["name"].partition(" by ")[0]: step["words"] for step in each["timeline"]["steps"]}
        assert told["import again"] == "a new version"
        assert told["cancelled"].endswith(": the wrong archive")
        assert told["reprocess"] == "repaired"


def test_a_manifest_may_be_named_and_only_the_index_written(ops: Ops, console: ConsoleRun) -> None:
    row, _ = answer(ops, "reprocess", "PH26-0002", "--dry-run")
    (started,) = answer(ops, "reprocess", "--manifest", row["manifest_key"], "--reindex")
    steps = console.runtime.clients.stepfunctions

    def outcome() -> str | None:
        described = steps.describe_execution(executionArn=started["execution"])
        found = json.loads(described.get("output", "{}")).get("outcome")
        return found["name"] if found else None

    assert wait_until(outcome) == "INDEXED"


def test_what_lies_below_a_prefix_and_what_could_not_be_delivered_is_worked_on_again(
    ops: Ops, console: ConsoleRun
) -> None:
    series = answer(ops, "status")["series_transfers"][0]
    uid, state = series["series_instance_uid"], console.runtime.state
    below = f"{series['edge']}/{series['transfer_id']}/{series['study_instance_uid']}/{uid}/"
    assert answer(ops, "reprocess", "--prefix", below, "--dry-run") == [{"prefix": below, "pk": series["pk"]}]
    (started,) = answer(ops, "reprocess", "--prefix", below)
    steps = console.runtime.clients.stepfunctions
    event = steps.describe_execution(executionArn=started["execution"])["input"]
    wait_until(lambda: _over(ops, uid, started["execution"]))
    console.runtime.clients.sqs.send_message(QueueUrl=state.dead_letters_url, MessageBody=event)
    (redriven,) = answer(ops, "reprocess", "--dead-letters", "--reason", "the rule was gone")
    assert (redriven["series_instance_uid"], redriven["pk"]) == (uid, series["pk"])
    told = answer(ops, "where", uid)[0]["timeline"]["steps"]
    (written,) = [step for step in told if step["name"].startswith("dead letter reprocessed by ")]
    assert written["words"] == "the rule was gone"
    wait_until(lambda: not _over(ops, uid, started["execution"]))
    wait_until(lambda: answer(ops, "status", "--under-way")["series_transfers"] == [])
    assert ops("reprocess", "--dead-letters")[0] == 1, "there is nothing more"


def _over(ops: Ops, series: str, execution: str) -> bool:
    """Whether this execution was the last to work on it, and has ended."""
    (found,) = answer(ops, "where", series)
    return found["found"]["owner_execution"] == execution and found["found"]["over_at"] is not None


def test_a_cancelled_ticket_ends_its_execution(ops: Ops, console: ConsoleRun) -> None:
    (series,) = [
        row for row in answer(ops, "status")["series_transfers"] if row["series_description"] == "Report"
    ]
    ops("slots", "pause")
    (started,) = answer(ops, "reprocess", series["series_instance_uid"], "--force")
    (ticket,) = wait_until(lambda: answer(ops, "slots")["tickets"])
    assert answer(ops, "slots", "cancel", str(ticket["ticket_id"]))["tickets"] == []
    steps = console.runtime.clients.stepfunctions

    def ended() -> bool:
        return steps.describe_execution(executionArn=started["execution"])["status"] == "FAILED"

    wait_until(ended)
    (cancelled,) = answer(ops, "where", series["series_instance_uid"])
    assert cancelled["found"]["place"] == "FAILED"
    assert cancelled["found"]["detail"].startswith("TicketCancelled")
    assert "a person" in cancelled["timeline"]["waits_for"]["words"]
    code, _, err = ops("slots", "cancel", str(ticket["ticket_id"]))
    assert code == 2
    assert "only a waiting ticket can be cancelled" in err
    ops("slots", "resume")
    answer(ops, "reprocess", series["series_instance_uid"])
    done = ("COMPLETED", "DUPLICATE")
    wait_until(lambda: answer(ops, "where", series["series_instance_uid"])[0]["found"]["place"] in done)


def test_tickets_of_a_replaced_data_store_are_shown_and_moved_by_one_command(
    ops: Ops, console: ConsoleRun
) -> None:
    (series,) = [row for row in answer(ops, "status")["series_transfers"] if row["modality"] == "DX"][:1]
    uid = series["series_instance_uid"]
    ops("slots", "pause")
    answer(ops, "reprocess", uid, "--force")
    (ticket,) = wait_until(lambda: answer(ops, "slots")["tickets"])
    with another_data_store(console, ticket["datastore_id"]):
        listed = answer(ops, "slots")
        assert [store["replaced"] for store in listed["semaphores"]] == [False, True]
        assert listed["tickets"][0]["stranded"]
        assert "1 stranded: the data store that they wait for was replaced" in ops("slots")[1]
        assert "`slots move`" in answer(ops, "where", uid)[0]["timeline"]["waits_for"]["words"]
        moved = answer(ops, "slots", "move", "--stranded")
        assert (moved["changed"], moved["tickets"][0]["stranded"]) == (1, False)
        assert "only a ticket that waits for a replaced" in ops("slots", "move", str(ticket["ticket_id"]))[2]
    assert answer(ops, "slots", "move", "--stranded")["changed"] == 1  # back to the one that exists
    assert answer(ops, "slots", "resume")["granted"] == 1
    wait_until(lambda: answer(ops, "where", uid)[0]["found"]["place"] == "COMPLETED")


@contextmanager
def another_data_store(console: ConsoleRun, old: str) -> Iterator[None]:
    """A deploy has replaced the data store; at the end another one has brought the old one back."""
    with session(console.runtime.state.database_url) as connection:
        limits = {"capacity": 0, "start_rate": 100, "start_burst": 100}
        queueing.configure(connection, SemaphoreSettings(datastore_id="e" * 32, **limits))
        yield
        limits["capacity"] = 20
        queueing.configure(connection, SemaphoreSettings(datastore_id=old, **limits))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("slots", "capacity"), "needs a number"),
        (("slots", "cancel"), "needs a number: the ticket to cancel, or --stranded"),
        (("slots", "pause", "--stranded"), "goes with cancel and move"),
        (("slots", "raise", "999999"), "only a waiting ticket can be raised"),
        (("replay", "--since", "1h", "--until", "2h"), "is not before --until"),
        (("replay", "--replay-name", "a b"), "A-Z a-z 0-9 . - _ are allowed"),
        (("slots", "capacity", "-1"), "0 or more is allowed"),
        (("slots", "pause", "--datastore", "x"), "--datastore x: one of"),
        (("reprocess",), "say which in one way"),
        (("reprocess", "--manifest", "x"), "'x' is not manifests/"),
        (("audit", "--days", "0"), "1 to 366 are allowed"),
    ],
)
def test_a_wrong_choice_is_one_line(ops: Ops, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = ops(*arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
