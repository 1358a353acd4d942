"""The main job, end to end: a real DICOM client, the edge, the workflow, image sets."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dcmdata.generate import write_small_series
from local.sending.dicom_folder import InstanceFile, read_folder
from local.sending.sender import send
from tests.e2e.conftest import SLOTS
from tests.support.workflow.pipeline import Pipeline

pytestmark = pytest.mark.xdist_group("whole")
DCMDATA = Path(__file__).parents[2] / "dcmdata"


def send_all(pipeline: Pipeline, files: Sequence[InstanceFile]) -> None:
    state = pipeline.state
    sent = send(files, str(state.dicom_host), int(state.dicom_port or 0))
    assert (len(sent.accepted), sent.refused) == (len(files), [])


def series_of(files: Sequence[InstanceFile]) -> list[str]:
    return sorted({file.series_instance_uid for file in files})


def over(pipeline: Pipeline, series: list[str]) -> list[dict[str, Any]]:
    """The series transfers of these series, once each of them is over."""

    def look() -> list[dict[str, Any]]:
        rows = pipeline.rows(
            "SELECT * FROM series_transfer WHERE series_instance_uid = ANY(CAST(:series AS text[])) "
            "AND state = 'OVER'",
            series=series,
        )
        return rows if {row["series_instance_uid"] for row in rows} == set(series) else []

    return pipeline.eventually(look, f"{len(series)} series are over")


def encoded_data_set(part10: bytes) -> bytes:
    """What stands behind the file meta information (PS3.10 §7.1), as it was encoded."""
    group_length = int.from_bytes(part10[140:144], "little")  # of (0002,0000), the first element
    return part10[144 + group_length :]


def test_every_instance_is_in_s3_bit_exact_in_the_index_and_in_an_image_set(whole: Pipeline) -> None:
    files = read_folder(DCMDATA).instances
    send_all(whole, files)
    rows = over(whole, series_of(files))
    assert [(row["outcome"], row["seal_reason"]) for row in rows] == [("COMPLETED", "quiet")] * 7
    read_metadata = cache(partial(metadata, whole))
    for file in files:
        (instance,) = whole.rows(
            "SELECT i.key, v.image_set_id, v.verdict FROM instance i "
            "JOIN instance_transfer v USING (sop_instance_uid) WHERE sop_instance_uid = :uid",
            uid=file.sop_instance_uid,
        )
        assert instance["verdict"] == "IMPORTED"
        stored = whole.clients.s3.get_object(Bucket=whole.state.bucket, Key=instance["key"])["Body"].read()
        assert encoded_data_set(stored) == encoded_data_set(file.path.read_bytes())
        assert file.sop_instance_uid in read_metadata(instance["image_set_id"])


def metadata(pipeline: Pipeline, image_set_id: str) -> str:
    """The metadata of an image set, as a viewer gets it."""
    answer = pipeline.healthimaging().get_image_set_metadata(
        datastoreId=pipeline.state.datastore_id, imageSetId=image_set_id
    )
    return gzip.decompress(answer["imageSetMetadataBlob"].read()).decode()


def test_thirty_series_at_once_through_three_slots(whole: Pipeline, tmp_path: Path) -> None:
    write_small_series(tmp_path, series=30, instances=4, seed=30)
    files = read_folder(tmp_path).instances
    send_all(whole, files)
    rows = over(whole, series_of(files))
    assert Counter(row["outcome"] for row in rows) == {"COMPLETED": 30}
    assert sum(row["imported"] for row in rows) == 120
    tickets = whole.rows(
        "SELECT pk, created_at, granted_at, over_at FROM ahlijob "
        "WHERE series_instance_uid = ANY(CAST(:series AS text[])) ORDER BY pk",
        series=series_of(files),
    )
    assert len(tickets) == 30
    # Those that find a free slot race for it; a queue begins behind them.
    queued = [t["granted_at"] for t in tickets if t["granted_at"] - t["created_at"] > timedelta(seconds=1)]
    assert len(queued) > 30 - 3 * SLOTS
    assert queued == sorted(queued), "in order of arrival"
    assert most_at_once([(ticket["granted_at"], ticket["over_at"]) for ticket in tickets]) == SLOTS
    assert most_at_once(import_spans(whole)) <= SLOTS


def import_spans(pipeline: Pipeline) -> list[tuple[Any, Any]]:
    """Begin and end of every import, as HealthImaging itself says."""
    pages = (
        pipeline.healthimaging()
        .get_paginator("list_dicom_import_jobs")
        .paginate(datastoreId=pipeline.state.datastore_id)
    )
    return [(job["submittedAt"], job["endedAt"]) for page in pages for job in page["jobSummaries"]]


def most_at_once(spans: list[tuple[Any, Any]]) -> int:
    """How many overlap at most; one that ends when another begins does not."""
    changes = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    most = running = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def test_one_event_per_series_whatever_the_number_of_associations(whole: Pipeline, tmp_path: Path) -> None:
    write_small_series(tmp_path, series=2, instances=4, seed=31)
    files = read_folder(tmp_path).instances
    for file in files:
        send_all(whole, [file])
    rows = over(whole, series_of(files))
    assert [(row["outcome"], row["instance_count"]) for row in rows] == [("COMPLETED", 4)] * 2


@pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK's storescu is not installed")
def test_dcmtks_storescu_is_served_as_the_readme_says(whole: Pipeline, tmp_path: Path) -> None:
    write_small_series(tmp_path, series=1, instances=3, seed=32)
    files = read_folder(tmp_path).instances
    paths = [str(file.path) for file in files]
    command = [
        "storescu",
        "-v",
        "-aec",
        "EDGE_AE",
        "-aet",
        "CLIENT_AE",
        "localhost",
        str(whole.state.dicom_port),
    ]
    subprocess.run([*command, *paths], check=True, capture_output=True, timeout=60)
    (row,) = over(whole, series_of(files))
    assert (row["outcome"], row["instance_count"], row["calling_ae"]) == ("COMPLETED", 3, "CLIENT_AE")


def test_the_database_gone_in_the_middle_loses_nothing(whole: Pipeline, tmp_path: Path) -> None:
    write_small_series(tmp_path, series=3, instances=2, seed=33)
    files = read_folder(tmp_path).instances
    send_all(whole, files)
    postgres = whole.runtime.postgres
    assert postgres is not None
    postgres.crash()
    postgres.start()
    whole.database.close()
    rows = over(whole, series_of(files))
    assert Counter(row["outcome"] for row in rows) == {"COMPLETED": 3}


def test_what_left_the_machine_names_no_patient(whole: Pipeline, tmp_path: Path) -> None:
    write_small_series(tmp_path, series=1, instances=1, seed=34)
    (file,) = read_folder(tmp_path).instances
    name = str(pydicom.dcmread(file.path).PatientName)
    assert name
    send_all(whole, [file])
    over(whole, [file.series_instance_uid])
    logs = [*whole.runtime.folder.glob("*.log"), *whole.runtime.folder.glob("functions/*.log")]
    assert logs
    assert [log.name for log in logs if name in log.read_text(encoding="utf-8", errors="replace")] == []
    for listed in whole.clients.stepfunctions.list_executions(stateMachineArn=whole.state.state_machine_arn)[
        "executions"
    ]:
        described = whole.clients.stepfunctions.describe_execution(executionArn=listed["executionArn"])
        assert name not in json.dumps(described, default=str)


def test_the_same_bytes_are_the_same_file_twice(whole: Pipeline, tmp_path: Path) -> None:
    """A re-send within the hour is acknowledged, counted and not sent again."""
    write_small_series(tmp_path, series=1, instances=2, seed=35)
    files = read_folder(tmp_path).instances
    send_all(whole, files)
    (row,) = over(whole, series_of(files))
    send_all(whole, files)
    digests = {hashlib.sha256(file.path.read_bytes()).hexdigest() for file in files}
    assert len(digests) == 2
    listed = whole.clients.s3.list_objects_v2(Bucket=whole.state.bucket, Prefix=row["prefix"])
    assert listed["KeyCount"] == 2
    assert len(over(whole, series_of(files))) == 1
