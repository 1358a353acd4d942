"""A data store whose series share imports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_ingest.db.server.connection import Database
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.steps import Steps, steps


@pytest.fixture
def flow(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """The steps' handlers around the test's database."""
    with steps(World.around(database, DATASTORE), monkeypatch) as wired:
        wired.rows("UPDATE semaphore SET bundles = true")
        yield wired
