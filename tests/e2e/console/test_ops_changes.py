"""The operator's verbs against a real run: what is changed, and what was altered behind its back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from local.clients.aws import Clients
from local.postgres.databases import session
from tests.e2e.console.running import ConsoleRun
from tests.e2e.console.verbs import Ops, answer
from tests.support.machine.waiting import wait_until

CHANGES_THE_RUN = True


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
