"""From an event on the bus to an execution, through moto: as the rule in the cloud does it by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dicom_ingest.contracts.messages.events import EDGE_SOURCE, SERIES_COMPLETE
from local.clients.invoke import FunctionFailedError, invoke
from local.parts import resources
from local.parts.pump import Batches, Pump
from local.parts.resources import Queues
from local.parts.status_changes import StatusChanges
from tests.support.local.runtime import LocalAws, function, local_aws
from tests.support.machine.waiting import wait_until

DATASTORE = "0" * 32


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("aws")) as aws:
        aws.deploy(function("echo"), function("fail"))
        resources.create_state_machine(
            aws.clients,
            aws.names,
            json.dumps({"StartAt": "End", "States": {"End": {"Type": "Pass", "End": True}}}),
        )
        yield aws


@pytest.fixture(scope="module")
def queues(aws: LocalAws) -> Queues:
    queues = resources.create_queues(aws.clients, aws.names)
    resources.create_events(aws.clients, aws.names, DATASTORE)
    return queues


@pytest.fixture
def pump(aws: LocalAws, queues: Queues) -> Pump:
    return Pump(aws.clients, queues.executions, aws.names.state_machine_arn)


def announce(
    aws: LocalAws, mark: str, at: datetime | None = None, detail_type: str = SERIES_COMPLETE
) -> None:
    entry: Any = {
        "EventBusName": aws.names.bus,
        "Source": EDGE_SOURCE,
        "DetailType": detail_type,
        "Detail": json.dumps({"mark": mark}),
        "Time": at or datetime.now(UTC),
    }
    assert aws.clients.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def inputs(aws: LocalAws, mark: str) -> list[Any]:
    """The input of every execution that an event with this mark has started."""
    found = []
    stepfunctions = aws.clients.stepfunctions
    for page in stepfunctions.get_paginator("list_executions").paginate(
        stateMachineArn=aws.names.state_machine_arn
    ):
        for execution in page["executions"]:
            described = stepfunctions.describe_execution(executionArn=execution["executionArn"])
            found.append(json.loads(described["input"]))
    return [event for event in found if event["detail"]["mark"] == mark]


def pumped(aws: LocalAws, pump: Pump, mark: str, count: int) -> list[Any]:
    def enough() -> list[Any] | None:
        pump.turn()
        found = inputs(aws, mark)
        return found if len(found) >= count else None

    found: list[Any] = wait_until(enough)
    return found


def waiting(aws: LocalAws, queue_url: str) -> int:
    attributes = aws.clients.sqs.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return sum(int(value) for value in attributes.values())


def test_an_event_starts_an_execution_with_the_whole_event(aws: LocalAws, pump: Pump) -> None:
    announce(aws, "whole")
    (event,) = pumped(aws, pump, "whole", 1)
    assert event["source"] == EDGE_SOURCE
    assert event["detail-type"] == SERIES_COMPLETE
    assert "replay-name" not in event
    datetime.fromisoformat(event["time"])


def test_another_kind_of_event_starts_nothing(aws: LocalAws, queues: Queues) -> None:
    before = waiting(aws, queues.executions)
    announce(aws, "other", detail_type="Edge Heartbeat")
    assert waiting(aws, queues.executions) == before


def test_the_same_message_twice_starts_one_execution(aws: LocalAws, pump: Pump, queues: Queues) -> None:
    announce(aws, "twice")
    (event,) = pumped(aws, pump, "twice", 1)
    aws.clients.sqs.send_message(QueueUrl=queues.executions, MessageBody=json.dumps(event))
    pump.turn()
    assert len(inputs(aws, "twice")) == 1
    assert waiting(aws, queues.executions) == 0


def test_an_event_that_cannot_start_an_execution_ends_among_the_dead_letters(
    aws: LocalAws, queues: Queues
) -> None:
    pump = Pump(aws.clients, queues.executions, aws.names.state_machine_arn + "-deleted")
    aws.clients.sqs.set_queue_attributes(QueueUrl=queues.executions, Attributes={"VisibilityTimeout": "0"})
    before = waiting(aws, queues.dead_letters)
    announce(aws, "undeliverable")

    def dead() -> bool:
        pump.turn()
        return waiting(aws, queues.dead_letters) > before

    wait_until(dead)
    aws.clients.sqs.set_queue_attributes(QueueUrl=queues.executions, Attributes={"VisibilityTimeout": "3"})
    assert waiting(aws, queues.executions) == 0


def test_a_replay_starts_new_executions_that_name_it_for_events_of_its_time_span_only(
    aws: LocalAws, pump: Pump
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    announce(aws, "old", now - timedelta(days=2))
    announce(aws, "recent", now)
    pumped(aws, pump, "old", 1)
    (first,) = pumped(aws, pump, "recent", 1)
    aws.clients.events.start_replay(
        ReplayName="reindex-after-a-mistake",
        EventSourceArn=aws.names.archive_arn,
        EventStartTime=now - timedelta(hours=1),
        EventEndTime=now + timedelta(hours=1),
        Destination={"Arn": aws.names.bus_arn},
    )
    events = pumped(aws, pump, "recent", 2)
    (replayed,) = [event for event in events if "replay-name" in event]
    assert replayed["replay-name"] == "reindex-after-a-mistake"
    assert replayed["id"] != first["id"]
    assert len(inputs(aws, "old")) == 1


def test_an_execution_that_ended_badly_is_announced_once_to_the_queue_of_status_changes(
    aws: LocalAws, queues: Queues
) -> None:
    definition = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "NoError"}}}
    aws.clients.stepfunctions.update_state_machine(
        stateMachineArn=aws.names.state_machine_arn, definition=json.dumps(definition)
    )
    assert aws.run(aws.names.state_machine_arn, {"detail": {"mark": "failed"}})["status"] == "FAILED"
    changes = StatusChanges(aws.clients, aws.names.state_machine_arn)
    changes.turn()
    changes.turn()
    batches: list[Any] = []
    Batches(aws.clients, queues.status_changes, batches.append).turn()
    (record,) = batches[0]["Records"]
    assert json.loads(record["body"])["detail"]["status"] == "FAILED"
    assert waiting(aws, queues.status_changes) == 0


def test_a_batch_stays_in_its_queue_when_the_function_fails(aws: LocalAws, queues: Queues) -> None:
    aws.clients.sqs.send_message(QueueUrl=queues.status_changes, MessageBody="{}")
    batches = Batches(
        aws.clients, queues.status_changes, lambda _: invoke(aws.clients, "fail", {"why": "down"})
    )
    with pytest.raises(FunctionFailedError, match="fail: SlotLostError: down"):
        batches.turn()
    assert waiting(aws, queues.status_changes) == 1
