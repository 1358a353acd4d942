"""One correlation id, from the event to the mapping: rows, objects, executions, logs, metrics, the job."""

from __future__ import annotations

import json
from typing import Any

from dicom_ingest.contracts.messages.manifest import decode_manifest
from dicom_ingest.contracts.platform.functions import WORKFLOW_FUNCTIONS
from dicom_ingest.contracts.platform.wiring import METRICS_NAMESPACE, SERIES_OVER
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced

NOT_ON_THE_HAPPY_PATH = {"record_failure"}


def lines(pipeline: Pipeline, function: str) -> list[dict[str, Any]]:
    """What a function has logged, its metrics among it; two of its environments may share a line."""
    [log] = (pipeline.runtime.folder / "functions").glob(f"*-{function}.log")
    text = log.read_text().replace("}{", "}\n{")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_series_is_followed_by_one_id_through_everything_it_leaves(pipeline: Pipeline) -> None:
    series = Announced()
    correlation_id = series.event().correlation_id
    pipeline.ingest(series)
    execution = pipeline.finished(series)[0]

    assert json.loads(execution["input"])["detail"]["correlation_id"] == correlation_id
    assert json.loads(execution["output"])["series_transfer"]["correlation_id"] == correlation_id
    stored = pipeline.clients.s3.get_object(Bucket=pipeline.state.bucket, Key=str(series.manifest_key))
    assert decode_manifest(stored["Body"].read()).transfer.correlation_id == correlation_id

    [mapped] = pipeline.rows(
        """SELECT j.job_name, j.import_id, a.image_set_id FROM progress p
             JOIN ahlijob j ON j.pk = p.ticket_id JOIN ahliimageset a ON a.ahlijob_pk = j.pk
            WHERE p.correlation_id = :id""",
        id=correlation_id,
    )
    job = pipeline.healthimaging().get_dicom_import_job(
        datastoreId=pipeline.state.datastore_id, jobId=mapped["import_id"]
    )["jobProperties"]
    assert job["jobName"] == mapped["job_name"]
    assert mapped["image_set_id"] in json.loads(execution["output"])["outcome"]["image_set_ids"]


def test_every_function_logs_it_and_says_how_long_it_took(pipeline: Pipeline) -> None:
    series = Announced()
    correlation_id = series.event().correlation_id
    pipeline.ingest(series)
    pipeline.finished(series)
    for function in set(WORKFLOW_FUNCTIONS) - NOT_ON_THE_HAPPY_PATH:
        mine = [line for line in lines(pipeline, function) if line.get("correlation_id") == correlation_id]
        done = [line for line in mine if line.get("message") == "step done"]
        assert done, function
        assert all(line["step"] == function and line["seconds"] >= 0 for line in done)
    [over] = [
        line
        for line in lines(pipeline, "record_image_sets")
        if line.get("correlation_id") == correlation_id and line.get("message") == "step done"
    ]
    counted = {name: over[name] for name in ("outcome", "instances", "imported", "failed")}
    assert counted == {"outcome": "COMPLETED", "instances": 2, "imported": 2, "failed": 0}


def test_a_metric_carries_it_beside_its_dimensions(pipeline: Pipeline) -> None:
    series = Announced()
    correlation_id = series.event().correlation_id
    pipeline.ingest(series)
    pipeline.finished(series)
    [metric] = [
        line
        for line in lines(pipeline, "record_image_sets")
        if SERIES_OVER in line and line.get("correlation_id") == correlation_id
    ]
    [directive] = metric["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == METRICS_NAMESPACE
    assert [sorted(names) for names in directive["Dimensions"]] == [["outcome", "stack"]]
