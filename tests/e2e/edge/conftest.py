"""One cloud for all tests here; an edge and its spool for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.edge_aws import EdgeCloud, edge_cloud
from tests.support.edge_process import RECEIVERS, EdgeProcess


@pytest.fixture(scope="session")
def _cloud() -> Iterator[EdgeCloud]:
    with edge_cloud() as found:
        yield found


@pytest.fixture
def cloud(_cloud: EdgeCloud) -> EdgeCloud:
    """S3 and a bus, with no events left over from another test."""
    _cloud.events()
    return _cloud


@pytest.fixture(params=RECEIVERS)
def receiver(request: pytest.FixtureRequest) -> str:
    """Who reads the edge's associations."""
    return str(request.param)


@pytest.fixture
def edge(receiver: str, tmp_path: Path, cloud: EdgeCloud) -> Iterator[EdgeProcess]:
    """A running edge with quick settings, whoever reads its associations."""
    with EdgeProcess(tmp_path, cloud.environment, receiver=receiver) as process:
        yield process
