"""The fault matrix: whatever goes wrong, slots are right, the row tells the truth, the queue moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.series import shares
from tests.support.workflow.faulty_functions import FaultyFunctions
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced, new_uid

FUNCTIONS = (
    "index_series",
    "acquire_import_slot",
    "start_import",
    "check_import",
    "record_image_sets",
    "release_import_slot",
)


@pytest.fixture
def faulty(pipeline: Pipeline, tmp_path: Path) -> Iterator[FaultyFunctions]:
    functions = FaultyFunctions(pipeline, tmp_path)
    functions.deploy()
    yield functions
    functions.undeploy()


def ended(pipeline: Pipeline, series: Announced) -> tuple[str, str | None, list[str]]:
    """How its execution ended, what its row says, and the states of its tickets."""
    (execution,) = pipeline.finished(series)
    found = pipeline.rows(
        "SELECT outcome FROM series_transfer WHERE transfer_id = :id", id=series.transfer_id
    )
    outcome = found[0]["outcome"] if found else None
    return execution["status"], outcome, [ticket["state"] for ticket in pipeline.tickets(series)]


def versions(pipeline: Pipeline, series: Announced) -> list[int]:
    rows = pipeline.rows(
        "SELECT DISTINCT version FROM ahliimageset WHERE series_instance_uid = :uid",
        uid=series.series_instance_uid,
    )
    return [row["version"] for row in rows]


def the_queue_moves(pipeline: Pipeline) -> None:
    """The slot count is right, and whoever comes next is ingested."""
    assert pipeline.held() == 0
    nxt = Announced()
    pipeline.ingest(nxt)
    assert ended(pipeline, nxt) == ("SUCCEEDED", "COMPLETED", ["DONE"])


def test_a_function_that_dies_hangs_or_loses_its_answer_is_tried_again(
    pipeline: Pipeline, faulty: FaultyFunctions
) -> None:
    matrix = {(name, fault): Announced() for name in FUNCTIONS for fault in ("dies", "hangs", "loses")}
    for (name, fault), series in matrix.items():
        faulty.arm(name, series, fault)
        pipeline.ingest(series)
    found = {cell: ended(pipeline, series) for cell, series in matrix.items()}
    assert found == dict.fromkeys(matrix, ("SUCCEEDED", "COMPLETED", ["DONE"]))
    imported = {tuple(versions(pipeline, series)) for series in matrix.values()}
    assert imported == {(1,)}, "nothing was imported twice"
    assert faulty.armed() == []
    assert pipeline.held() == 0


def test_a_function_with_a_mistake_fails_its_series_alone_and_leaks_nothing(
    pipeline: Pipeline, faulty: FaultyFunctions
) -> None:
    broken = {name: Announced() for name in (*FUNCTIONS, "record_failure")}
    for name, series in broken.items():
        faulty.arm(name, series, "fails")
        pipeline.ingest(series) if name != "record_failure" else None
    # RecordFailure is reached by a failure only.
    faulty.arm("check_import", broken["record_failure"], "fails")
    pipeline.ingest(broken["record_failure"])
    found = {name: ended(pipeline, series) for name, series in broken.items()}
    assert {name: status for name, (status, _, _) in found.items()} == dict.fromkeys(broken, "FAILED")
    assert found["index_series"] == ("FAILED", None, [])
    assert found["acquire_import_slot"] == ("FAILED", "FAILED", [])
    assert found["start_import"] == ("FAILED", "FAILED", ["CANCELLED"])
    assert found["check_import"] == ("FAILED", "FAILED", ["RUNNING"]), "its import may go on"
    assert faulty.armed() == []
    pipeline.reclaim_until_over(*broken.values())
    for name in ("check_import", "record_image_sets", "release_import_slot", "record_failure"):
        assert ended(pipeline, broken[name])[1:] == ("COMPLETED", ["DONE"]), "what the import itself says"
    the_queue_moves(pipeline)


def test_an_execution_stopped_in_any_state_leaves_nothing_held(
    pipeline: Pipeline, faulty: FaultyFunctions
) -> None:
    stopped = {name: Announced() for name in FUNCTIONS}
    for name, series in stopped.items():
        faulty.arm(name, series, "waits")
        pipeline.ingest(series)
    for name, series in stopped.items():
        pipeline.eventually(partial(faulty.is_waiting, name, series), f"{name} is at work")
        pipeline.stop(series)
    for series in stopped.values():
        assert pipeline.finished(series)[0]["status"] == "ABORTED"
    pipeline.reclaim_until_over(*stopped.values())
    outcomes = {name: ended(pipeline, series)[1] for name, series in stopped.items()}
    assert outcomes == {
        "index_series": "FAILED",
        "acquire_import_slot": "FAILED",
        "start_import": "COMPLETED",
        "check_import": "COMPLETED",
        "record_image_sets": "COMPLETED",
        "release_import_slot": "COMPLETED",
    }
    the_queue_moves(pipeline)
    for name in ("index_series", "acquire_import_slot"):
        pipeline.announce(stopped[name])
    for name in ("index_series", "acquire_import_slot"):
        pipeline.finished(stopped[name], 2)
        assert pipeline.transfer(stopped[name])["outcome"] == "COMPLETED", "its event, sent again, mends it"


def test_an_execution_stopped_while_it_waits_leaves_nothing_held(pipeline: Pipeline) -> None:
    pipeline.slots(0)
    queued, paced, importing = Announced(), Announced(), Announced()
    pipeline.ingest(queued)
    pipeline.eventually(lambda: pipeline.tickets(queued), "its ticket")
    pipeline.stop(queued)
    pipeline.fault(kind="job", effect="stuck")
    pipeline.slots(50)
    pipeline.ingest(importing)
    pipeline.eventually(pipeline.stuck_jobs, "its import hangs")
    pipeline.stop(importing)
    pipeline.slots(50, rate=0.01, burst=1)
    burst = Announced()
    for series in (burst, paced):  # the first takes the burst, the second waits for its start
        pipeline.ingest(series)
        pipeline.eventually(partial(pipeline.tickets, series), "its ticket")
    pipeline.eventually(lambda: pipeline.tickets(paced)[0]["delivered_at"], "it is granted")
    pipeline.stop(paced)
    pipeline.rows("UPDATE semaphore SET next_start = 'epoch'")
    pipeline.slots(50)
    pipeline.reclaim_until_over(queued, paced)
    assert pipeline.transfer(importing)["state"] != "OVER", "its import goes on, so its slot is held"
    (job,) = pipeline.stuck_jobs()
    pipeline.let_go(job)
    pipeline.reclaim_until_over(importing)
    assert pipeline.transfer(importing)["outcome"] == "COMPLETED"
    assert {pipeline.transfer(series)["outcome"] for series in (queued, paced)} == {"FAILED"}
    assert ended(pipeline, burst) == ("SUCCEEDED", "COMPLETED", ["DONE"])


def whole_transfer(count: int) -> list[Announced]:
    """The series of one closed transfer of a migration: they share an import, however few slots are free."""
    transfer_id, study = str(uuid4()), new_uid()
    return [
        Announced(
            transfer_id=transfer_id,
            priority="bulk",
            study_instance_uid=study,
            transfer_series=count if number == count else None,
        )
        for number in range(1, count + 1)
    ]


def queue_up(pipeline: Pipeline, *series: Announced) -> None:
    """No slot is free, and each of them has its ticket."""
    pipeline.slots(0)
    for one in series:
        pipeline.ingest(one)
    wanted = Counter(one.transfer_id for one in series)
    pipeline.eventually(
        lambda: Counter(str(row["transfer_id"]) for one in wanted for row in queued(pipeline, one)) == wanted,
        "all of them wait",
    )


def queued(pipeline: Pipeline, transfer_id: str) -> list[dict[str, Any]]:
    return pipeline.rows("SELECT transfer_id FROM ahlijob WHERE transfer_id = :id", id=transfer_id)


def imports(pipeline: Pipeline, series: Announced) -> set[str]:
    """HealthImaging's jobs for a transfer."""
    return {ticket["import_id"] for ticket in pipeline.tickets(series)}


def outcomes(pipeline: Pipeline, series: Announced) -> list[str]:
    rows = pipeline.rows("SELECT outcome FROM series_transfer WHERE transfer_id = :id", id=series.transfer_id)
    return [row["outcome"] for row in rows]


def outcome_of(pipeline: Pipeline, series_instance_uid: str) -> str:
    (row,) = pipeline.rows(
        "SELECT outcome FROM series_transfer WHERE series_instance_uid = :uid", uid=series_instance_uid
    )
    return str(row["outcome"])


def test_the_series_of_a_transfer_share_an_import_whatever_function_dies(
    pipeline: Pipeline, faulty: FaultyFunctions
) -> None:
    faults = {("start_import", "loses"), ("check_import", "dies"), ("record_image_sets", "loses")}
    bundles = {fault: whole_transfer(3) for fault in faults}
    for series in bundles.values():
        queue_up(pipeline, *series)
    for (name, fault), series in bundles.items():
        faulty.arm(name, series[0], fault)
    pipeline.slots(1)
    for series in bundles.values():
        ended_well = [execution["status"] for execution in pipeline.finished(series[0], 3)]
        assert ended_well == ["SUCCEEDED"] * 3
        assert outcomes(pipeline, series[0]) == ["COMPLETED"] * 3
        assert len(imports(pipeline, series[0])) == 1
        assert len({ticket["bundle"] for ticket in pipeline.tickets(series[0])} - {None}) == 1
    the_queue_moves(pipeline)


def test_a_leader_that_is_stopped_while_its_bundle_is_imported_leaves_no_series_behind(
    pipeline: Pipeline,
) -> None:
    series = whole_transfer(3)
    queue_up(pipeline, *series)
    pipeline.fault(kind="job", effect="stuck")
    pipeline.slots(1)
    (job,) = pipeline.eventually(pipeline.stuck_jobs, "their import hangs")
    leader = next(ticket["owner_execution"] for ticket in pipeline.tickets(series[0]) if ticket["leads"])
    pipeline.clients.stepfunctions.stop_execution(executionArn=leader)
    pipeline.let_go(job)
    pipeline.reclaim_until_over(series[0])
    assert outcomes(pipeline, series[0]) == ["COMPLETED"] * 3
    assert imports(pipeline, series[0]) == {job}
    states = sorted(execution["status"] for execution in pipeline.finished(series[0], 3))
    assert states == ["ABORTED", "SUCCEEDED", "SUCCEEDED"]
    the_queue_moves(pipeline)


def test_a_bundle_whose_import_fails_is_imported_series_by_series(pipeline: Pipeline) -> None:
    series = whole_transfer(3)
    queue_up(pipeline, *series)
    pipeline.fault(kind="job", effect="fail", times=1)
    pipeline.slots(3)
    assert [execution["status"] for execution in pipeline.finished(series[0], 3)] == ["SUCCEEDED"] * 3
    assert outcomes(pipeline, series[0]) == ["COMPLETED"] * 3
    assert len(imports(pipeline, series[0])) == 3
    the_queue_moves(pipeline)


def cancel(pipeline: Pipeline, ticket: int) -> None:
    """As `ops slots cancel` does."""
    with pipeline.database.transaction() as connection:
        assert queue.cancel(connection, ticket, "not wanted") == [ticket]
    pipeline.runtime.invoke("release_import_slot", {"execution_arn": "operator", "state": {}})


def statuses(pipeline: Pipeline, series: Announced) -> list[str]:
    """How the three executions of a transfer ended, in any order."""
    return sorted(execution["status"] for execution in pipeline.finished(series, 3))


def test_of_a_shared_import_each_series_has_its_own_end(pipeline: Pipeline) -> None:
    broken, miscounted, cancelled = (whole_transfer(3) for _ in range(3))
    queue_up(pipeline, *broken, *miscounted, *cancelled)
    s3, bucket = pipeline.clients.s3, pipeline.state.bucket
    unreadable = broken[1].prefix.instance(broken[1].sop_instance_uids[0])
    s3.put_object(Bucket=bucket, Key=unreadable, Body=b"no DICOM")
    stranger = replace(miscounted[0], series_instance_uid=new_uid())
    sop = stranger.sop_instance_uids[0]
    s3.put_object(Bucket=bucket, Key=stranger.prefix.instance(sop), Body=stranger.body(1, sop))
    unwanted = pipeline.tickets(cancelled[0])[1]
    cancel(pipeline, unwanted["pk"])
    pipeline.slots(5)

    assert statuses(pipeline, broken[0]) == ["SUCCEEDED"] * 3
    assert outcome_of(pipeline, broken[1].series_instance_uid) == "PARTIAL"
    assert sorted(outcomes(pipeline, broken[0])) == ["COMPLETED", "COMPLETED", "PARTIAL"]
    assert statuses(pipeline, miscounted[0]) == ["SUCCEEDED"] * 3
    assert outcomes(pipeline, miscounted[0]) == ["COMPLETED"] * 3
    assert [len(imports(pipeline, several[0])) for several in (broken, miscounted)] == [1, 1]
    with pipeline.database.transaction() as connection:
        found = {one.bundle: one.words() for one in shares.uneven(connection, miscounted[0].edge, 1)}
    assert "scanned 7 and imported 7; by the lines of its series these are 6 and 6" in found.pop(
        pipeline.tickets(miscounted[0])[0]["bundle"]
    )
    assert found == {}

    assert statuses(pipeline, cancelled[0]) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert outcome_of(pipeline, unwanted["series_instance_uid"]) == "FAILED"
    assert sorted(outcomes(pipeline, cancelled[0])) == ["COMPLETED", "COMPLETED", "FAILED"]
    assert {ticket["bundle"] for ticket in pipeline.tickets(cancelled[0])} == {None}
    the_queue_moves(pipeline)


def test_a_shared_import_that_vanishes_and_a_leader_that_is_cancelled_hold_no_slot(
    pipeline: Pipeline,
) -> None:
    vanished, led = whole_transfer(3), whole_transfer(3)
    queue_up(pipeline, *vanished)
    pipeline.fault(kind="job", effect="stuck")
    pipeline.slots(1)
    (job,) = pipeline.eventually(pipeline.stuck_jobs, "their import hangs")
    pipeline.fault(kind="fail_call", operation="GetDICOMImportJob", error="ResourceNotFoundException")
    assert statuses(pipeline, vanished[0]) == ["FAILED"] * 3
    assert outcomes(pipeline, vanished[0]) == ["UNKNOWN"] * 3
    pipeline.let_go(job)
    pipeline.clear_faults()

    queue_up(pipeline, *led)
    pipeline.rows("UPDATE semaphore SET next_start = clock_timestamp() + interval '4 seconds'")
    pipeline.slots(1, rate=0.25, burst=1)
    leader = next(ticket for ticket in pipeline.tickets(led[0]) if ticket["leads"])
    cancel(pipeline, leader["pk"])
    pipeline.rows("UPDATE semaphore SET next_start = 'epoch'")
    pipeline.slots(3)
    assert statuses(pipeline, led[0]) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert outcome_of(pipeline, leader["series_instance_uid"]) == "FAILED"
    assert sorted(outcomes(pipeline, led[0])) == ["COMPLETED", "COMPLETED", "FAILED"]
    the_queue_moves(pipeline)


def test_healthimaging_refuses_for_a_while(pipeline: Pipeline) -> None:
    for error, times in (
        ("ServiceQuotaExceededException", 1),
        ("ConflictException", 1),
        ("ThrottlingException", 3),
        ("InternalServerException", 3),
    ):
        pipeline.fault(kind="fail_call", operation="StartDICOMImportJob", error=error, times=times)
        pipeline.fault(kind="fail_call", operation="GetDICOMImportJob", error=error, times=times)
    pipeline.fault(kind="fail_call", operation="GetDICOMImportJob", error="AccessDeniedException", times=1)
    several = [Announced() for _ in range(4)]
    for series in several:
        pipeline.ingest(series)
    assert [ended(pipeline, series) for series in several] == [("SUCCEEDED", "COMPLETED", ["DONE"])] * 4
    assert pipeline.rows("SELECT gate FROM semaphore") == [{"gate": "OPEN"}], "nobody's data store is broken"


def test_imports_that_hang_vanish_or_write_late(pipeline: Pipeline) -> None:
    hanging, late = Announced(), Announced()
    pipeline.fault(kind="job", effect="stuck")
    pipeline.ingest(hanging)
    (job,) = pipeline.eventually(pipeline.stuck_jobs, "its import hangs")
    pipeline.fault(kind="job", effect="late_manifest", seconds=3)
    pipeline.ingest(late)
    assert ended(pipeline, late) == ("SUCCEEDED", "COMPLETED", ["DONE"]), "others go on"
    pipeline.fault(kind="fail_call", operation="GetDICOMImportJob", error="ResourceNotFoundException")
    execution, outcome, tickets = ended(pipeline, hanging)
    assert (execution, outcome, tickets) == ("FAILED", "UNKNOWN", ["DONE"])
    pipeline.let_go(job)
    the_queue_moves(pipeline)


def test_the_database_restarts_and_crashes_in_the_middle(pipeline: Pipeline) -> None:
    several = [Announced() for _ in range(6)]
    for series in several[:3]:
        pipeline.ingest(series)
    assert pipeline.runtime.postgres is not None
    pipeline.runtime.postgres.restart()
    for series in several[3:]:
        pipeline.ingest(series)
    pipeline.eventually(partial(pipeline.tickets, several[3]), "work goes on")
    pipeline.runtime.postgres.crash()
    pipeline.runtime.postgres.start()
    assert [ended(pipeline, series) for series in several] == [("SUCCEEDED", "COMPLETED", ["DONE"])] * 6
    the_queue_moves(pipeline)
