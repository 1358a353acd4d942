"""What reclaim does at every pass, whatever else does not answer."""

from __future__ import annotations

import pytest

from dicom_ingest.db.server.connection import Database
from tests.database.steps.conftest import capacity, started
from tests.support.workflow.steps import Run, Steps


@pytest.mark.parametrize(
    "results", [b'{"inputFile": "a', b'{"inputFile": "a/1.dcm", "importResponse": {"imageSetVersion": {}}}']
)
def test_a_leftover_that_cannot_be_read_stops_no_other_and_no_grant(flow: Steps, results: bytes) -> None:
    capacity(flow, 2)
    bad, good = started(flow, 2)
    waiting = flow.announce()
    waiting.index_series()
    waiting.acquire()
    for run in (bad, good):
        flow.end(run)
        flow.stop(run)
    (lines,) = (key for key in flow.world.s3.objects if key.endswith("success.ndjson") and _of(bad, key))
    flow.world.s3.objects[lines] = results
    reply = flow.reclaim()
    assert (reply["troubled"], reply["recorded"], reply["granted"]) == (1, 1, 1)
    assert good.row()["outcome"] == "COMPLETED"
    assert waiting.tickets()[0]["state"] == "GRANTED"


def _of(run: Run, key: str) -> bool:
    return run.announced.series_instance_uid in key


def test_what_step_functions_does_not_answer_stops_no_grant(
    flow: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = started(flow, 1)
    flow.stop(run)
    flow.world.executions.failure = "ThrottlingException"
    reply = flow.reclaim()
    assert reply["troubled"] > 0
    written = capsys.readouterr().out
    assert '"OldestWaiterSeconds"' in written, "gauges are written whatever happens"
    assert '"OldestImportSeconds"' in written


def test_two_passes_do_not_work_at_the_same_time(flow: Steps, migrated_url: str) -> None:
    other = Database(migrated_url)
    with other.transaction() as connection:
        connection.run("SELECT pg_advisory_lock(:lock)", lock=0x52434C4D)
    assert flow.reclaim() == {
        **dict.fromkeys(("delivered", "freed", "recorded", "cancelled", "troubled", "granted"), 0),
        "opened_database": True,
    }
    other.close()
    (run,) = started(flow, 1)
    flow.stop(run)
    flow.reclaim()


# --- tickets -----------------------------------------------------------------------------------------------
