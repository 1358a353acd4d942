"""Defects that systems of this kind were seen to have, made to happen: ours must be immune."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import pytest

from dicom_ingest.db.semaphore import operator as queue
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced, element, new_uid


def outcome(pipeline: Pipeline, series: Announced) -> str:
    execution = pipeline.finished(series)[0]
    name: str = json.loads(execution["output"])["outcome"]["name"]
    return name


def test_a_prefix_never_takes_the_next_series_with_it(pipeline: Pipeline) -> None:
    """C6: without a slash at the end `…1` also imports `…10`."""
    uid = new_uid()[:50]
    short = Announced(series_instance_uid=f"{uid}1")
    long = Announced(
        series_instance_uid=f"{uid}10",
        transfer_id=short.transfer_id,
        study_instance_uid=short.study_instance_uid,
    )
    pipeline.upload(long)
    pipeline.ingest(short)
    assert outcome(pipeline, short) == "COMPLETED"
    assert pipeline.transfer(short)["scanned"] == 2


def test_waiting_for_a_slot_writes_no_history(pipeline: Pipeline) -> None:
    """C15: a poll loop dies at 25,000 history events after some hours of waiting."""
    pipeline.slots(0)
    series = Announced()
    pipeline.ingest(series)
    pipeline.eventually(partial(pipeline.tickets, series), "its ticket")
    arn = pipeline.executions(series)[0]["executionArn"]

    def events() -> int:
        answer = pipeline.clients.stepfunctions.get_execution_history(executionArn=arn, maxResults=1000)
        return len(answer["events"])

    pipeline.eventually(lambda: "AcquireImportSlot" in pipeline.states({"executionArn": arn}), "it waits")
    before = events()
    for _ in range(3):  # others come and go
        pipeline.runtime.invoke("reclaim_import_slots", {"Records": [{"body": "a status change"}]})
    assert events() - before <= 2, "TaskSubmitted may still come, nothing else does"
    pipeline.slots(50)
    assert outcome(pipeline, series) == "COMPLETED"
    assert events() < 80


def test_odd_values_are_ingested_and_kept(pipeline: Pipeline) -> None:
    """C11: an empty date, a wrong VR or a long value broke or cut the row."""
    odd = {
        "00080020": element("DA", "20261399"),
        "00081030": element("LO", "long " * 100),
        "00200011": element("IS", "three"),
        "00100030": {"vr": "DA"},
        "00181030": element("LO", "nul\0inside"),
    }
    series = Announced(attributes=lambda _: odd)
    pipeline.ingest(series)
    assert outcome(pipeline, series) == "COMPLETED"
    row = pipeline.rows(
        "SELECT t.study_date, t.unparsed, length(t.study_description) AS length, s.protocol_name "
        "FROM study t JOIN series s ON s.study_pk = t.pk WHERE s.series_instance_uid = :uid",
        uid=series.series_instance_uid,
    )
    assert row == [
        {
            "study_date": None,
            "unparsed": {"StudyDate": ["20261399"]},
            "length": 499,
            "protocol_name": "nulinside",
        }
    ]


def test_a_store_that_is_gone_burns_nobody(pipeline: Pipeline) -> None:
    """C23: a night's queue is burnt within seconds."""
    series = [Announced() for _ in range(3)]
    pipeline.fault(
        kind="fail_call", operation="StartDICOMImportJob", error="ResourceNotFoundException", times=None
    )
    for each in series:
        pipeline.ingest(each)
    pipeline.eventually(lambda: pipeline.rows("SELECT * FROM semaphore WHERE gate = 'CLOSED'"), "it closes")
    states = {ticket["state"] for each in series for ticket in pipeline.tickets(each)}
    assert states <= {"WAITING", "GRANTED", "STARTING"}
    pipeline.clear_faults()
    assert [outcome(pipeline, each) for each in series] == ["COMPLETED"] * 3


def test_what_is_odd_about_a_series_stands_in_the_executions_state(pipeline: Pipeline) -> None:
    series = Announced(attributes=lambda number: {"00080050": element("SH", f"A{number}")})
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]
    words = "its instances carry 2 different values of AccessionNumber"
    assert json.loads(execution["output"])["findings"] == [words]
    assert pipeline.transfer(series)["findings"] == [words]


@pytest.mark.parametrize("teller", ["release_import_slot", "reclaim_import_slots"])
def test_an_operator_takes_a_series_out_of_the_queue(pipeline: Pipeline, teller: str) -> None:
    """The command line asks release_import_slot to tell; when it dies before that, reclaim does."""
    pipeline.slots(0)
    series = Announced()
    pipeline.ingest(series)
    (ticket,) = pipeline.eventually(partial(pipeline.tickets, series), "its ticket")
    with pipeline.database.transaction() as connection:
        assert queue.cancel(connection, ticket["pk"], "sent to the wrong archive") == [ticket["pk"]]
        assert queue.cancel(connection, ticket["pk"], "again") == []
    said = {"execution_arn": "operator", "state": {}} if teller == "release_import_slot" else {}
    pipeline.runtime.invoke(teller, said)
    execution = pipeline.finished(series)[0]
    assert (execution["status"], execution["error"]) == ("FAILED", "FAILED")
    assert execution["cause"].startswith("TicketCancelled")
    transfer, (ticket,) = pipeline.transfer(series), pipeline.tickets(series)
    assert (transfer["state"], transfer["outcome"]) == ("OVER", "FAILED")
    assert (ticket["state"], ticket["message"]) == ("CANCELLED", "sent to the wrong archive")
    assert ticket["task_token"] is None


def test_who_waited_for_a_closed_gate_is_granted_by_the_start_that_opens_it(pipeline: Pipeline) -> None:
    """Not by the release that follows seconds later, nor by reclaim after minutes."""
    pipeline.slots(2)
    pipeline.fault(
        kind="fail_call", operation="StartDICOMImportJob", error="AccessDeniedException", times=None
    )
    first, second = Announced(), Announced()
    pipeline.ingest(first)
    pipeline.eventually(lambda: pipeline.rows("SELECT * FROM semaphore WHERE gate = 'CLOSED'"), "it closes")
    pipeline.ingest(second)
    pipeline.eventually(lambda: pipeline.tickets(second), "its ticket")
    pipeline.clear_faults()
    pipeline.finished(first)
    pipeline.finished(second)
    (opener,), (waiter,) = pipeline.tickets(first), pipeline.tickets(second)
    assert waiter["granted_at"] - opener["running_at"] < timedelta(seconds=0.5)
