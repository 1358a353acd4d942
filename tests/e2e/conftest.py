"""The whole pipeline with an edge, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.run.options import Options
from local.runtime import Runtime
from tests.support.iam.recording import processes_recorded
from tests.support.workflow.pipeline import Pipeline

SLOTS = 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A run with three import slots and imports that take a while."""
    options = Options(
        name="whole",
        runs=tmp_path_factory.mktemp("runs"),
        quiet_seconds=2,
        import_slots=SLOTS,
        start_rate=100,
        start_burst=100,
        fast_imports=True,
    )
    site = tmp_path_factory.mktemp("calls") / "site"
    with processes_recorded("main job", site, Runtime(options)) as runtime:
        pipeline = Pipeline(runtime)
        yield pipeline
        pipeline.close()
