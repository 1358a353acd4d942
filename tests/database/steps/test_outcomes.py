"""What a series ends as: its own words, late and newer transfers, forced imports."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Steps


def test_a_series_goes_its_way(flow: Steps) -> None:
    run = flow.announce()
    assert run.ingest()["name"] == "COMPLETED"
    assert (run.row()["state"], run.row()["outcome"]) == ("OVER", "COMPLETED")
    assert [ticket["state"] for ticket in run.tickets()] == ["DONE"]


# --- no outcome is ever missing ----------------------------------------------------------------------------


def test_release_writes_the_failure_that_could_not_be_recorded(flow: Steps) -> None:
    run = flow.announce()
    run.index_series()
    run.state["error"] = {"Error": "Lambda.ResourceNotReadyException", "Cause": "inactive"}
    run.release()
    row = run.row()
    assert (row["state"], row["outcome"]) == ("OVER", "FAILED")
    assert row["outcome_detail"] == (
        "its failure could not be recorded: Lambda.ResourceNotReadyException: inactive"
    )


def test_release_leaves_an_outcome_that_was_said_alone(flow: Steps) -> None:
    run = flow.announce()
    run.ingest()
    run.state["error"] = {"Error": "Sandbox.Timedout", "Cause": ""}
    run.release()
    assert run.row()["outcome"] == "COMPLETED"


def test_words_that_a_newer_edge_uses_are_no_reason_to_fail(flow: Steps) -> None:
    run = flow.announce()
    run.event["detail"] |= {"seal_reason": "a reason to come", "priority": "urgent", "schema_version": 2}
    assert run.index_series()["import_needed"]
    assert (run.row()["seal_reason"], run.row()["priority"]) == ("a reason to come", 0)


def test_an_event_that_cannot_be_read_leaves_a_row_and_ends_failed(flow: Steps) -> None:
    run = flow.announce()
    good = dict(run.event["detail"])
    run.event["detail"]["instance_count"] = "many"
    with pytest.raises(ValueError, match="instance_count"):
        run.index_series()
    said = run.fail("ValidationError", "instance_count: not a number")
    assert (said["outcome"]["name"], run.row()["outcome"]) == ("FAILED", "FAILED")
    assert "instance_count" in run.row()["outcome_detail"]
    assert run.release() == {"released": False, "orphaned": False, "granted": 0}
    again = flow.announce(run.announced)
    assert again.event["detail"] == good
    assert again.ingest()["name"] == "COMPLETED", "an event that can be read fills the row in"
    assert run.row()["prefix"] == good["prefix"]


def test_an_event_that_names_no_series_ends_failed_without_a_row(flow: Steps) -> None:
    run = flow.announce()
    run.event["detail"] = {"transfer_id": "../etc", "series_instance_uid": 3}
    assert run.fail("ValidationError", "no")["outcome"]["name"] == "FAILED"
    assert flow.rows("SELECT * FROM series_transfer") == []


# --- an older version never hides a newer one, and none of its other instances stays out -------------------


def two_versions() -> tuple[Announced, Announced]:
    """Three images of which a later transfer changes one."""
    sops = tuple(new_uid() for _ in range(3))
    old = Announced(sequence=1, sop_instance_uids=sops, content="old")
    new = replace(old, transfer_id=str(uuid4()), sequence=2, sop_instance_uids=sops[:1], content="new")
    return old, new


def test_a_late_transfer_is_imported_where_a_newer_version_of_one_instance_is_held(flow: Steps) -> None:
    old, new = two_versions()
    first = flow.announce(new)
    first.ingest()
    late = flow.announce(old)
    said = late.ingest()
    assert (said["name"], said["imported"]) == ("COMPLETED", 3)
    assert f"transfer {new.transfer_id} is queued again behind it" in said["detail"]
    (queued,) = flow.world.executions.started.values()
    assert queued["detail"]["transfer_id"] == new.transfer_id
    balanced = "SELECT balanced FROM ledger WHERE transfer_id = :id"
    assert flow.rows(balanced, id=new.transfer_id) == [{"balanced": False}], "the older version is on top"
    again = flow.announce(new)
    assert again.event["detail"] == queued["detail"]
    assert again.ingest()["name"] == "COMPLETED"
    assert flow.rows(balanced, id=new.transfer_id) == [{"balanced": True}]
    assert len(flow.world.executions.started) == 1, "nothing is newer than it any more"


def test_superseded_needs_every_instance_to_be_held(flow: Steps) -> None:
    old, new = two_versions()
    flow.announce(old).ingest()
    flow.announce(new).ingest()
    older = replace(old, transfer_id=str(uuid4()), sequence=1, content="old")
    run = flow.announce(older)
    said = run.ingest()
    assert said["name"] == "SUPERSEDED"
    verdicts = flow.rows(
        "SELECT verdict, count(*) AS n FROM instance_transfer WHERE series_transfer_pk = :pk "
        "GROUP BY verdict ORDER BY verdict",
        pk=run.row()["pk"],
    )
    assert verdicts == [{"verdict": "SUPERSEDED", "n": 1}, {"verdict": "UNCHANGED", "n": 2}]


def test_a_newer_transfer_that_was_not_started_again_is_started_by_reclaim(flow: Steps) -> None:
    old, new = two_versions()
    flow.announce(new).ingest()
    late = flow.announce(old)
    late.index_series()
    late.acquire()
    late.start()
    flow.end(late)
    late.check()
    late.record()
    flow.stop(late)  # before it could release
    flow.reclaim()
    assert [event["detail"]["transfer_id"] for event in flow.world.executions.started.values()] == [
        new.transfer_id
    ]


def test_a_missing_instance_is_never_hidden_behind_a_duplicate(flow: Steps) -> None:
    series = Announced()
    flow.announce(series).ingest()
    again = replace(series, transfer_id=str(uuid4()), sequence=2, missing=(new_uid(),))
    said = flow.announce(again).ingest()
    assert (said["name"], said["detail"]) == (
        "PARTIAL",
        "the data store holds the same bytes; 1 more are missing",
    )


# --- HealthImaging's own counts decide ---------------------------------------------------------------------


def test_a_forced_import_is_judged_by_its_own_results(flow: Steps) -> None:
    series = Announced()
    flow.announce(series).ingest()
    forced = flow.announce(series, **{"replay-name": "force-a"})
    said = forced.ingest(imported=0, success=[])
    assert (said["name"], said["imported"]) == ("FAILED", 0)


def test_success_lines_that_healthimaging_does_not_count_are_not_completed(flow: Steps) -> None:
    run = flow.announce()
    said = run.ingest(imported=1, failure=[])
    assert (said["name"], said["imported"]) == ("PARTIAL", 2)
    assert "HealthImaging counts 1 imported" in said["detail"]


def test_lines_are_matched_by_the_files_name_however_its_path_is_printed(flow: Steps) -> None:
    series = Announced()
    lines = [
        {"inputFile": f"s3://dicom/{series.prefix.instance(sop)}", "importResponse": {"imageSetId": "a" * 32}}
        for sop in series.sop_instance_uids
    ]
    said = flow.announce(series).ingest(imported=2, success=lines)
    assert (said["name"], said["imported"]) == ("COMPLETED", 2)


def test_an_attempt_that_is_tried_again_leaves_its_image_sets_in_the_index(flow: Steps) -> None:
    run = flow.announce()
    run.index_series()
    run.acquire()
    run.start()
    flow.end(run, server_errors=1, image_sets=["b" * 32])
    assert run.check()["retry"]
    assert run.start()["status"] == "QUEUE_AGAIN"
    assert [row["image_set_id"] for row in flow.rows("SELECT image_set_id FROM ahliimageset")] == ["b" * 32]


# --- a data store whose imports fail -----------------------------------------------------------------------


def test_non_primary_always_says_why(flow: Steps) -> None:
    series = Announced()
    lines = [
        {"inputFile": f"{sop}.dcm", "importResponse": {"imageSetId": "a" * 32, "isPrimary": False}}
        for sop in series.sop_instance_uids
    ]
    said = flow.announce(series).ingest(imported=2, success=lines)
    assert said["name"] == "NON_PRIMARY"
    assert said["detail"].startswith("2 of 2 in non-primary image sets; the index knows no earlier import")
