"""The results of a shared import, divided among its series."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.support.workflow.bundles import (
    bundle,
    end,
    finish,
    lines,
    open_,
    queue_up,
    tickets,
)
from tests.support.workflow.series import Announced
from tests.support.workflow.steps import Steps


def test_each_series_is_judged_by_its_own_lines(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    good, bad = lines([runs[0], runs[2]]), runs[1].announced
    failure = [
        {
            "inputFile": bad.prefix.instance(sop),
            "exception": {"exceptionType": "ValidationException", "message": "invalid value '1.2\0'"},
        }
        for sop in bad.sop_instance_uids
    ]
    end(flow, runs, imported=4, success=good, failure=failure)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    assert [finish(run)["name"] for run in runs[1:]] == ["FAILED", "COMPLETED"]


def test_a_line_that_is_lacking_makes_its_series_partial_and_no_other(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    success = [
        line for line in lines(runs) if runs[1].announced.sop_instance_uids[0] not in line["inputFile"]
    ]
    end(flow, runs, imported=5, success=success)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    assert [finish(run)["name"] for run in runs[1:]] == ["PARTIAL", "COMPLETED"]


def test_results_that_are_recorded_twice_are_judged_by_all_that_shared_them(flow: Steps) -> None:
    """Step Functions may ask once more after the others were woken, and have ended."""
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    first = runs[0].record()
    assert runs[0].record() == first
    assert flow.world.executions.asked == [], "those who were told are not told again"
    for run in runs[1:]:
        finish(run)
    assert runs[0].record() == first
    assert first["detail"] is None


def test_series_whose_uids_begin_alike_get_their_own_lines(flow: Steps) -> None:
    transfer_id, uids = str(uuid4()), ("1.2.3", "1.2.3.4", "1.2.34")
    series = [
        Announced(transfer_id=transfer_id, study_instance_uid="1.2", series_instance_uid=uid) for uid in uids
    ]
    runs = queue_up(flow, [*series[:-1], replace(series[-1], transfer_series=3)])
    open_(flow)
    assert runs[0].told()
    runs[0].start()
    end(flow, runs)
    runs[0].check()
    said = [runs[0].record(), *(finish(run) for run in runs[1:])]
    assert [(one["name"], one["scanned"]) for one in said] == [("COMPLETED", 2)] * 3


def test_counts_that_no_series_explains_are_reported(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, imported=9)
    runs[0].check()
    said = runs[0].record()
    assert "scanned 9 and imported 9; by the lines of its series these are 6 and 6" in said["detail"]


def test_everything_is_in_although_lines_are_absent(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, imported=6, success=[])
    job = flow.world.imaging.jobs[tickets(flow, runs)[0]["import_id"]]
    flow.world.s3.put_results(job, imported=6)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED", "COMPLETED"]


def test_a_vanished_import_leaves_every_series_unknown(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.world.imaging.jobs.clear()
    assert runs[0].check()["status"] == "GONE"
    assert runs[0].record()["name"] == "UNKNOWN"
    runs[0].release()
    assert [finish(run)["name"] for run in runs[1:]] == ["UNKNOWN", "UNKNOWN"]


def test_members_sleep_while_the_results_are_late(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    flow.world.imaging.end(tickets(flow, runs)[0]["import_id"])
    runs[0].check()
    with pytest.raises(Exception, match="no manifest"):
        runs[0].record()
    assert not any(run.told() for run in runs[1:])
    end(flow, runs)
    runs[0].record()
    assert all(run.told() for run in runs[1:])
