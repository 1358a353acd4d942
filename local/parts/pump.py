"""From queue to workflow: what an EventBridge rule does by itself in the cloud.

moto's rules cannot start executions, but they can fill a queue. A message that cannot be handled stays in its
queue, is tried again, and ends among the dead letters.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.clients.aws import Clients

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LOG = logging.getLogger(__name__)
WAIT_SECONDS = 1
BATCH = 10


class Pump:
    """Starts an execution for every event in a queue, with the whole event as its input."""

    def __init__(self, clients: Clients, queue_url: str, state_machine_arn: str) -> None:
        self._clients = clients
        self._queue_url = queue_url
        self._state_machine_arn = state_machine_arn
        self._windows: dict[str, tuple[datetime, datetime]] = {}

    def turn(self) -> None:
        """Handle what is there; wait a second for it at most."""
        started = []
        for message in receive(self._clients, self._queue_url):
            try:
                self._start(message["Body"])
            except ClientError as error:
                LOG.warning("execution not started, the event stays in its queue: %s", error)
                continue
            started.append(message)
        delete(self._clients, self._queue_url, started)

    def _start(self, body: str) -> None:
        event = json.loads(body)
        if not self._wanted(event):
            return
        try:
            # moto gives every unnamed execution the same name; the event's id is new for every replay.
            self._clients.stepfunctions.start_execution(
                stateMachineArn=self._state_machine_arn, name=event["id"], input=body
            )
        except self._clients.stepfunctions.exceptions.ExecutionAlreadyExists:
            LOG.info("delivered twice: %s", event["id"])

    def _wanted(self, event: dict[str, Any]) -> bool:
        """moto replays the whole archive; EventBridge only the events of the replay's time span."""
        replay = event.get("replay-name")
        if replay is None:
            return True
        if replay not in self._windows:
            found = self._clients.events.describe_replay(ReplayName=replay)
            self._windows[replay] = (found["EventStartTime"], found["EventEndTime"])
        start, end = self._windows[replay]
        return start.timestamp() <= datetime.fromisoformat(event["time"]).timestamp() <= end.timestamp()


class Batches:
    """Hands a queue's messages in batches to a function, as Lambda's event source does."""

    def __init__(self, clients: Clients, queue_url: str, invoke: Callable[[dict[str, Any]], Any]) -> None:
        self._clients = clients
        self._queue_url = queue_url
        self._invoke = invoke

    def turn(self) -> None:
        """Hand over what is there; wait a second for it at most."""
        messages = receive(self._clients, self._queue_url)
        if messages:
            self._invoke({"Records": [_record(message) for message in messages]})
            delete(self._clients, self._queue_url, messages)


def receive(clients: Clients, queue_url: str) -> Sequence[MessageTypeDef]:
    """Up to ten messages."""
    answer = clients.sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=WAIT_SECONDS
    )
    return answer.get("Messages", [])


def delete(clients: Clients, queue_url: str, messages: Sequence[MessageTypeDef]) -> None:
    """They are done with: one call for all. One that could not be deleted comes again, which is harmless."""
    if not messages:
        return
    answer = clients.sqs.delete_message_batch(
        QueueUrl=queue_url,
        Entries=[
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ],
    )
    for failed in answer.get("Failed", []):
        LOG.warning("message not deleted: %s", failed["Code"])


def _record(message: MessageTypeDef) -> dict[str, Any]:
    """One record of the event that Lambda's SQS event source makes."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "eventSource": "aws:sqs",
    }
