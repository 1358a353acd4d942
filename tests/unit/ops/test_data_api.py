"""The RDS Data API as a connection: parameters, values, errors, a cluster that resumes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.errors import DatabaseAwayError, IndexRefusedError
from ops.targets.data_api import RESUME_TRIES, TOO_LARGE, DataApi

CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:index"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:operator"
WHERE = {"resourceArn": CLUSTER, "secretArn": SECRET, "database": "dicomindex"}


class Stand:
    """The adapter over botocore's own model of the service."""

    def __init__(self) -> None:
        client: Any = boto3.Session("a", "b", region_name="eu-west-1").client("rds-data")
        self.stub = Stubber(client)
        self.pauses: list[float] = []
        self.index = DataApi(client, CLUSTER, SECRET, "dicomindex", pause=self.pauses.append)

    def expect(self, sql: str, parameters: list[Any], answer: dict[str, Any]) -> None:
        request = {**WHERE, "sql": sql, "parameters": parameters, "includeResultMetadata": True}
        self.stub.add_response("execute_statement", answer, request)

    def refuse(self, code: str) -> None:
        self.stub.add_client_error("execute_statement", code, "what it says")


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    with stand.stub:
        yield stand
        stand.stub.assert_no_pending_responses()


def column(label: str, type_name: str) -> dict[str, Any]:
    return {"label": label, "typeName": type_name}


def test_values_come_as_from_a_connection(stand: Stand) -> None:
    stand.expect(
        "SELECT",
        [],
        {
            "columnMetadata": [
                column("pk", "int8"),
                column("at", "timestamptz"),
                column("day", "date"),
                column("extra", "jsonb"),
                column("names", "_text"),
                column("none", "text"),
                column("no", "bool"),
            ],
            "records": [
                [
                    {"longValue": 7},
                    {"stringValue": "2026-11-22 08:00:00.25"},
                    {"stringValue": "2026-11-22"},
                    {"stringValue": '[{"a": 1}]'},
                    {"arrayValue": {"stringValues": ["x", "y"]}},
                    {"isNull": True},
                    {"booleanValue": False},
                ]
            ],
        },
    )
    assert stand.index.run("SELECT") == [
        {
            "pk": 7,
            "at": datetime(2026, 11, 22, 8, 0, 0, 250000, tzinfo=timezone.utc),
            "day": date(2026, 11, 22),
            "extra": [{"a": 1}],
            "names": ["x", "y"],
            "none": None,
            "no": False,
        }
    ]


def test_the_queue_is_changed_through_it(stand: Stand) -> None:
    stand.expect(
        queue._RAISE,
        [
            {"name": "priority", "value": {"longValue": -1}},
            {"name": "pk", "value": {"longValue": 12}},
            {"name": "who", "value": {"stringValue": "ana"}},
        ],
        {"columnMetadata": [column("pk", "int8")], "records": [[{"longValue": 12}]]},
    )
    assert queue.set_priority(stand.index, 12, -1, "ana")


def test_parameters_are_told_apart_by_type(stand: Stand) -> None:
    stand.expect(
        "q",
        [
            {"name": "text", "value": {"stringValue": "x"}},
            {"name": "none", "value": {"isNull": True}},
            {"name": "yes", "value": {"booleanValue": True}},
            {"name": "half", "value": {"doubleValue": 0.5}},
            {"name": "day", "value": {"stringValue": "2026-11-22"}, "typeHint": "DATE"},
            {"name": "at", "value": {"stringValue": "2026-11-22 07:30:00.500"}, "typeHint": "TIMESTAMP"},
        ],
        {},
    )
    east = timezone(timedelta(hours=1))
    at = datetime(2026, 11, 22, 8, 30, 0, 500000, tzinfo=east)
    assert stand.index.run("q", text="x", none=None, yes=True, half=0.5, day=date(2026, 11, 22), at=at) == []
    with pytest.raises(TypeError, match="parameter ids: list is not one of"):
        stand.index.run("q", ids=[1])


def test_a_paused_cluster_is_waited_for(stand: Stand) -> None:
    stand.refuse("DatabaseResumingException")
    stand.refuse("DatabaseResumingException")
    stand.expect("q", [], {})
    assert stand.index.run("q") == []
    assert len(stand.pauses) == 2


def test_a_cluster_that_does_not_resume_is_away(stand: Stand) -> None:
    for _ in range(RESUME_TRIES):
        stand.refuse("DatabaseResumingException")
    with pytest.raises(DatabaseAwayError, match="has not resumed after 45 s"):
        stand.index.run("q")


def test_a_refused_statement_keeps_the_servers_words(stand: Stand) -> None:
    stand.refuse("DatabaseErrorException")
    with pytest.raises(IndexRefusedError) as caught:
        stand.index.run("q")
    assert caught.value.server_words == "what it says"
    stand.refuse("DatabaseUnavailableException")
    with pytest.raises(DatabaseAwayError):
        stand.index.run("q")


def test_an_answer_that_is_too_large_is_said_with_its_limit_and_what_to_do(stand: Stand) -> None:
    words = "Database returned more than the allowed response size limit"
    stand.stub.add_client_error("execute_statement", "DatabaseErrorException", words)
    with pytest.raises(IndexRefusedError) as caught:
        stand.index.run("q")
    assert caught.value.server_words == TOO_LARGE
    assert "1 MiB" in TOO_LARGE
