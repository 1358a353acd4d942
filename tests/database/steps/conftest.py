"""The workflow's functions as steps against a real index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dicom_ingest.db.server.connection import Database
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.steps import Run, Steps, steps


@pytest.fixture
def flow(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with steps(World.around(database, DATASTORE), monkeypatch) as wired:
        yield wired


def capacity(flow: Steps, slots: int) -> None:
    flow.rows("UPDATE semaphore SET capacity = :slots", slots=slots)


def fails(flow: Steps, run: Run) -> dict[str, Any]:
    """Its import fails as a whole; what StartImport then says."""
    flow.end(run, "FAILED")
    assert run.check()["retry"]
    return run.start()


def started(flow: Steps, count: int) -> list[Run]:
    runs = [flow.announce() for _ in range(count)]
    for run in runs:
        run.index_series()
        run.acquire()
        run.start()
    return runs
