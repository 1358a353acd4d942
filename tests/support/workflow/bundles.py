"""The series of a closed transfer, step by step through the handlers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from dicom_ingest.db.semaphore.granting import SHARE_AFTER_SECONDS
from dicom_ingest.operators.read.state import flow as stages
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Run, Steps


def transfer(count: int, **given: Any) -> list[Announced]:
    """The series of one closed transfer; the last one says so."""
    transfer_id, study = str(uuid4()), new_uid()
    several = [Announced(transfer_id=transfer_id, study_instance_uid=study, **given) for _ in range(count)]
    return [*several[:-1], replace(several[-1], transfer_series=count)]


def capacity(flow: Steps, slots: int) -> None:
    """So many slots."""
    flow.rows("UPDATE semaphore SET capacity = :slots", slots=slots)


def queue_up(flow: Steps, series: list[Announced]) -> list[Run]:
    """Their executions have waited so long that they may share an import; no slot is free."""
    capacity(flow, 0)
    runs = [flow.announce(announced) for announced in series]
    for run in runs:
        run.index_series()
        assert run.acquire() is None
    wait(flow)
    return runs


def wait(flow: Steps, seconds: float = SHARE_AFTER_SECONDS) -> None:
    """All that wait have waited for so much longer."""
    flow.rows(
        "UPDATE ahlijob SET created_at = created_at - make_interval(secs => :seconds) "
        "WHERE state = 'WAITING'",
        seconds=seconds,
    )


def bundle(flow: Steps, count: int = 3, slots: int = 3, **given: Any) -> list[Run]:
    """A granted bundle, the leader first."""
    runs = queue_up(flow, transfer(count, **given))
    open_(flow, slots)
    assert [run.told() for run in runs] == [True] + [False] * (count - 1)
    return runs


def open_(flow: Steps, slots: int = 3) -> None:
    """Slots are free; the grant step runs."""
    capacity(flow, slots)
    idle = flow.announce(Announced())
    idle.release()


def tickets(flow: Steps, runs: list[Run]) -> list[dict[str, Any]]:
    """Of these executions' series, oldest first."""
    ids = [run.announced.series_instance_uid for run in runs]
    return flow.rows("SELECT * FROM ahlijob WHERE series_instance_uid = ANY(:ids) ORDER BY pk", ids=ids)


def lines(runs: list[Run]) -> list[dict[str, Any]]:
    """A success line for every instance."""
    return [
        {
            "inputFile": run.announced.prefix.instance(sop),
            "importResponse": {
                "imageSetId": run.announced.series_instance_uid,
                "imageSetVersion": 1,
                "isPrimary": True,
            },
        }
        for run in runs
        for sop in run.announced.sop_instance_uids
    ]


def end(flow: Steps, runs: list[Run], status: str = "COMPLETED", **results: Any) -> None:
    """Their import ends; by default with everything in."""
    job = tickets(flow, runs)[0]["import_id"]
    flow.world.imaging.end(job, status)
    success = lines(runs)
    sets = [run.announced.series_instance_uid for run in runs]
    given: dict[str, Any] = {"imported": len(success), "success": success, "image_sets": sets} | results
    if status == "COMPLETED":
        flow.world.s3.put_results(flow.world.imaging.jobs[job], **given)


def finish(run: Run) -> dict[str, Any]:
    """A member that was woken goes its way."""
    assert run.told()
    assert run.start()["status"] in ("COMPLETED", "GONE")
    said = run.record()
    run.release()
    return said


def held(flow: Steps) -> int:
    """Slots in use, as operators see it."""
    with flow.world.database.transaction() as connection:
        return int(stages.flow(connection)["slots_held"])


def outcomes(runs: list[Run]) -> list[str | None]:
    """How their series transfers ended."""
    return [run.row()["outcome"] for run in runs]


def redo(flow: Steps, runs: list[Run]) -> None:
    """Each is imported alone, once."""
    jobs = len(flow.world.imaging.jobs)
    for run in runs:
        again = (run.state.get("import") or {}).get("status") == "QUEUE_AGAIN"
        assert run.acquire() if again else run.told()
        assert run.start()["bundle"] is None
        flow.end(run)
        run.check()
        assert run.record()["name"] == "COMPLETED"
        run.release()
    assert len(flow.world.imaging.jobs) == jobs + len(runs)
    assert flow.rows("SELECT FROM ahlijob WHERE live") == []
