"""Work done again on purpose, and the audit that says what must be: both on the running pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from dicom_ingest.contracts.messages.steps import AuditFinding
from dicom_ingest.operators import reprocess
from dicom_ingest.operators.reprocess import Reprocessor, Selection
from dicom_ingest.upkeep import audit
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced, new_uid


def reprocessor(pipeline: Pipeline, replay_name: str = "") -> Reprocessor:
    return Reprocessor(
        s3=pipeline.clients.s3,
        stepfunctions=pipeline.clients.stepfunctions,
        bucket=pipeline.state.bucket,
        stack=pipeline.state.stack,
        state_machine_arn=pipeline.state.state_machine_arn,
        replay_name=replay_name,
    )


def output(execution: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(execution["output"])
    return found


def findings(pipeline: Pipeline, announced: Announced) -> list[AuditFinding]:
    """What the audit of the day after tomorrow says of a transfer, at an edge of the test's own."""
    found = audit.compare(
        pipeline.database,
        pipeline.clients.s3,
        pipeline.state.bucket,
        announced.edge.rpartition("-")[0],  # edges of this name only: one LIST a transfer takes its time
        days=30,
        now=datetime.now(UTC) + timedelta(days=2),
    )
    return [each for each in found.findings if announced.transfer_id in each.subject]


def today(**changes: Any) -> Announced:
    """Announced today, by an edge of its own."""
    edge = f"dicom-ingest-{uuid4().hex[:8]}-edge"
    return Announced(**{"received_at": datetime.now(UTC) - timedelta(hours=1), "edge": edge, **changes})


def test_a_reprocessing_converges_reindexes_or_forces(pipeline: Pipeline) -> None:
    converging, reindexed, forced = Announced(), Announced(), Announced()
    for series in (converging, reindexed, forced):
        pipeline.ingest(series)
    for series in (converging, reindexed, forced):
        pipeline.finished(series)
    pipeline.rows(
        "UPDATE instance SET bytes = 0 WHERE transfer_id = CAST(:id AS uuid)", id=reindexed.transfer_id
    )
    reprocessor(pipeline).manifest(str(converging.manifest_key))
    reprocessor(pipeline, "reindex-1").manifest(str(reindexed.manifest_key))
    for _ in range(2):  # a replay, too, is delivered at least once
        reprocessor(pipeline, "force-1").manifest(str(forced.manifest_key))
    again = {
        "converging": [output(e)["outcome"]["name"] for e in pipeline.finished(converging, 2)[1:]],
        "reindexed": [output(e)["outcome"]["name"] for e in pipeline.finished(reindexed, 2)[1:]],
        "forced": sorted(output(e)["outcome"]["name"] for e in pipeline.finished(forced, 3)[1:]),
    }
    assert again == {
        "converging": ["DUPLICATE"],
        "reindexed": ["INDEXED"],
        "forced": ["COMPLETED", "DUPLICATE"],
    }
    assert [len(pipeline.tickets(series)) for series in (converging, reindexed, forced)] == [1, 1, 2]
    assert {pipeline.transfer(series)["outcome"] for series in (converging, reindexed)} == {"COMPLETED"}
    sql = "SELECT DISTINCT bytes > 0 AS whole FROM instance WHERE transfer_id = CAST(:id AS uuid)"
    assert pipeline.rows(sql, id=reindexed.transfer_id) == [{"whole": True}]
    versions = "SELECT max(version) AS version FROM ahliimageset WHERE series_instance_uid = :uid"
    assert pipeline.rows(versions, uid=forced.series_instance_uid) == [{"version": 2}]


def test_a_forced_import_waits_for_the_owner(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.slots(0)
    pipeline.ingest(series)
    pipeline.eventually(partial(pipeline.tickets, series), "its ticket")
    arn = reprocessor(pipeline, "force-while-busy").manifest(str(series.manifest_key))
    pipeline.eventually(lambda: "WaitForOwner" in pipeline.states({"executionArn": arn}), "it waits")
    pipeline.slots(50)
    assert [output(e)["outcome"]["name"] for e in pipeline.finished(series, 2)] == ["COMPLETED"] * 2
    assert len(pipeline.tickets(series)) == 2


def test_what_failed_is_selected_by_its_outcome_and_mended(pipeline: Pipeline) -> None:
    failed, well = today(edge="dicom-ingest-edge7"), today(edge="dicom-ingest-edge7")
    pipeline.fault(kind="job", effect="fail", times=2, message="TEMPORARY_TROUBLE")
    pipeline.ingest(failed)
    pipeline.finished(failed)
    pipeline.ingest(well)
    pipeline.finished(well)
    keys = {
        name: [each.manifest_key for each in _select(pipeline, selection)]
        for name, selection in {
            "outcome": Selection(edge=failed.edge, outcome="FAILED"),
            "reason": Selection(edge=failed.edge, detail="temporary_trouble"),
            "series": Selection(series=failed.series_instance_uid),
            "study": Selection(study=failed.study_instance_uid),
            "day": Selection(edge=failed.edge, day=failed.manifest_key.sealed_on, outcome="FAILED"),
        }.items()
    }
    assert list(keys.values()) == [[str(failed.manifest_key)]] * 5
    reprocessor(pipeline).manifest(str(failed.manifest_key))
    pipeline.finished(failed, 2)
    assert pipeline.transfer(failed)["outcome"] == "COMPLETED"
    assert [ticket["attempt"] for ticket in pipeline.tickets(failed)] == [2, 3], "never an old token"


def _select(pipeline: Pipeline, selection: Selection) -> list[reprocess.Chosen]:
    with pipeline.database.transaction() as connection:
        return reprocess.select(connection, selection)


def test_an_event_that_was_never_delivered_is_found_and_mended(pipeline: Pipeline) -> None:
    series = today()
    pipeline.upload(series)
    (finding,) = findings(pipeline, series)
    assert finding.kind == "manifest_without_row"
    assert finding.command == f"reprocess --manifest {series.manifest_key}"
    reprocessor(pipeline).manifest(str(series.manifest_key))
    assert output(pipeline.finished(series)[0])["outcome"]["name"] == "COMPLETED"
    assert findings(pipeline, series) == []


def test_objects_without_a_manifest_are_found_and_indexed_from_their_headers(pipeline: Pipeline) -> None:
    known = today()
    lost = replace(today(), edge=known.edge)
    # Two series of one transfer: one was announced, of the other the manifest never came.
    lost = replace(lost, transfer_id=known.transfer_id, study_instance_uid=known.study_instance_uid)
    pipeline.ingest(known)
    pipeline.finished(known)
    pipeline.upload(lost)
    pipeline.clients.s3.delete_object(Bucket=pipeline.state.bucket, Key=str(lost.manifest_key))
    (finding,) = findings(pipeline, known)
    assert (finding.kind, finding.subject) == ("objects_without_manifest", str(lost.prefix))
    below = reprocessor(pipeline).series_below(f"{lost.edge}/{lost.transfer_id}/")
    assert sorted(map(str, below)) == sorted([str(known.prefix), str(lost.prefix)])
    reprocessor(pipeline).prefix(str(lost.prefix))
    pipeline.finished(lost, 2)
    rows = pipeline.rows(
        "SELECT outcome, imported, modality FROM series_transfer WHERE series_instance_uid = :uid",
        uid=lost.series_instance_uid,
    )
    assert rows == [{"outcome": "COMPLETED", "imported": 2, "modality": "CT"}]
    patients = pipeline.rows(
        "SELECT p.patient_id FROM series s JOIN study t ON t.pk = s.study_pk JOIN patient p "
        "ON p.pk = t.patient_pk WHERE s.series_instance_uid = :uid",
        uid=lost.series_instance_uid,
    )
    assert patients == [{"patient_id": "4711"}]
    assert findings(pipeline, known) == []


def test_counts_that_disagree_are_found(pipeline: Pipeline) -> None:
    series = today(sop_instance_uids=(new_uid(), new_uid(), new_uid()))
    pipeline.ingest(series)
    pipeline.finished(series)
    assert findings(pipeline, series) == []
    gone = series.prefix.instance(series.sop_instance_uids[0])
    pipeline.clients.s3.delete_object(Bucket=pipeline.state.bucket, Key=gone)
    (finding,) = findings(pipeline, series)
    assert finding.kind == "counts_disagree"
    assert finding.detail == "3 instances were announced, 2 objects are in S3"


def test_dead_letters_are_redriven(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.upload(series)
    event = series.envelope()
    event["detail"]["bucket"] = pipeline.state.bucket
    queue = pipeline.state.dead_letters_url
    for body in (event, {"detail-type": "Step Functions Execution Status Change"}):
        pipeline.clients.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body))
    (started,) = filter(
        None,
        answer := [
            *reprocess.redrive(
                pipeline.clients.sqs, queue, pipeline.clients.stepfunctions, pipeline.state.state_machine_arn
            )
        ],
    )
    assert answer.count(None) == 1
    assert (started.transfer_id, started.series_instance_uid) == (
        series.transfer_id,
        series.series_instance_uid,
    )
    left = pipeline.clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    in_flight = int(left["ApproximateNumberOfMessagesNotVisible"])
    assert in_flight + int(left["ApproximateNumberOfMessages"]) == 1, "what is not ours stays"
    assert output(pipeline.finished(series)[0])["outcome"]["name"] == "COMPLETED"
    pipeline.clients.sqs.purge_queue(QueueUrl=queue)


def test_a_reindex_of_what_was_never_seen_leaves_nothing_open(pipeline: Pipeline) -> None:
    series = Announced()
    pipeline.upload(series)
    reprocessor(pipeline, "reindex-unseen").manifest(str(series.manifest_key))
    pipeline.finished(series)
    transfer = pipeline.transfer(series)
    assert (transfer["state"], transfer["outcome"], transfer["owner_execution"]) == ("OVER", "INDEXED", None)
    pipeline.announce(series)
    pipeline.finished(series, 2)
    assert pipeline.transfer(series)["outcome"] == "COMPLETED"
