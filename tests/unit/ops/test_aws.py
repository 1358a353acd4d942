"""A stack on AWS as a target: found by its outputs; what the stack of this repository really has."""

from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from ops.errors import FunctionFailedError, OperatorError
from ops.targets.at_edges import heartbeats
from ops.targets.aws import target_of

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/dicom-ingest/1"
OUTPUTS = {
    "DatabaseCluster": "index",
    "DatabaseName": "dicomindex",
    "QueryEditorSecret": "arn:operator",
    "DatabaseSecret": "arn:admin-secret-of-the-cluster",
    "DicomBucket": "bucket",
    "StateMachine": "arn:aws:states:eu-west-1:123456789012:stateMachine:dicom-ingest-ingest-series",
    "UndeliveredEvents": "https://sqs/undelivered",
}


class Clients:
    """Stubbed clients by service."""

    def __init__(self) -> None:
        self.stubs: dict[str, Stubber] = {}
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            session: Any = boto3.Session("a", "b", region_name="eu-west-1")
            self._made[service] = session.client(service)
            self.stubs[service] = Stubber(self._made[service])
            self.stubs[service].activate()
        return self._made[service]


def described(clients: Clients, outputs: dict[str, str]) -> None:
    clients("cloudformation")
    clients.stubs["cloudformation"].add_response(
        "describe_stacks",
        {
            "Stacks": [
                {
                    "StackName": "dicom-ingest",
                    "StackId": STACK_ID,
                    "CreationTime": "2026-11-22T00:00:00Z",
                    "StackStatus": "CREATE_COMPLETE",
                    "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
                }
            ]
        },
        {"StackName": "dicom-ingest"},
    )


def test_the_outputs_lead_to_everything_and_reads_are_the_operators() -> None:
    clients = Clients()
    described(clients, OUTPUTS)
    target = target_of("dicom-ingest", clients)
    assert target.name == "stack dicom-ingest in eu-west-1"
    clients.stubs["rds-data"].add_response(
        "execute_statement",
        {},
        {
            "resourceArn": "arn:aws:rds:eu-west-1:123456789012:cluster:index",
            "secretArn": "arn:operator",
            "database": "dicomindex",
            "sql": "SELECT",
            "parameters": [],
            "includeResultMetadata": True,
        },
    )
    assert target.index.run("SELECT") == []
    assert target.open_writer() is not target.index


def test_a_stack_that_is_not_ours_is_one_clear_line() -> None:
    clients = Clients()
    described(clients, {"Something": "else"})
    with pytest.raises(
        OperatorError, match=r"has no output DatabaseCluster, .*: is it a stack of dicom-ingest"
    ):
        target_of("dicom-ingest", clients)
    clients.stubs["cloudformation"].add_client_error(
        "describe_stacks", "ValidationError", "Stack with id x does not exist"
    )
    with pytest.raises(OperatorError, match="there is no stack dicom-ingest in eu-west-1"):
        target_of("dicom-ingest", clients)


def test_a_function_that_raised_is_named_with_its_error() -> None:
    clients = Clients()
    described(clients, OUTPUTS)
    target = target_of("dicom-ingest", clients)
    clients("lambda")
    body = json.dumps({"errorType": "DatabaseAwayError", "errorMessage": "nobody answers"}).encode()
    clients.stubs["lambda"].add_response(
        "invoke",
        {"FunctionError": "Unhandled", "Payload": StreamingBody(io.BytesIO(body), len(body))},
        {
            "FunctionName": "dicom-ingest-release_import_slot",
            "Payload": '{"execution_arn": "operator", "state": {}}',
        },
    )
    with pytest.raises(FunctionFailedError, match="DatabaseAwayError: nobody answers"):
        target.grant()


def test_the_newest_heartbeat_of_every_edge_is_kept() -> None:
    clients = Clients()
    logs = clients("logs")
    events = [
        {
            "message": json.dumps(
                {"time": f"2026-11-22T08:0{n}:00Z", "detail": {"edge": edge, "spool_instances": n}}
            )
        }
        for n, edge in enumerate(["s-b", "s-a", "s-b"])
    ]
    clients.stubs["logs"].add_response(
        "filter_log_events",
        {"events": events},
        {"logGroupName": "/aws/events/dicom-ingest-heartbeats", "startTime": 100_000},
    )
    found = heartbeats(logs, "dicom-ingest", 1000)
    assert [(row["edge"], row["spool_instances"]) for row in found] == [("s-a", 1), ("s-b", 2)]
