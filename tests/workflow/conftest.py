"""A running pipeline for half of the suite: moto executes our state machine, workers run our functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.run.options import Options
from local.runtime import Runtime
from tests.support.iam.recording import processes_recorded
from tests.support.workflow.pipeline import Pipeline


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two xdist groups, so that two pipelines are started at most: most of the time is spent waiting."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            group = (
                "workflow" if item.path.stem in ("test_paths", "test_seen_elsewhere") else "workflow-faults"
            )
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline without an edge."""
    options = Options(
        name="workflow",
        runs=tmp_path_factory.mktemp("runs"),
        fast_imports=True,
        with_edge=False,
        import_slots=50,
        start_rate=100,
        start_burst=100,
    )
    site = tmp_path_factory.mktemp("calls") / "site"
    with processes_recorded("workflow", site, Runtime(options)) as runtime:
        pipeline = Pipeline(runtime)
        yield pipeline
        pipeline.close()


@pytest.fixture
def pipeline(running: Pipeline) -> Iterator[Pipeline]:
    """The pipeline with all slots free to use and no fault armed."""
    running.clear_faults()
    running.slots(50)
    yield running
    running.clear_faults()
