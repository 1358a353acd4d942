"""One cloud for all tests here; an edge and its spool for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.edge.aws import EdgeCloud, edge_cloud
from tests.support.edge.process import EdgeProcess


@pytest.fixture(scope="session")
def _cloud() -> Iterator[EdgeCloud]:
    with edge_cloud() as found:
        yield found


@pytest.fixture
def cloud(_cloud: EdgeCloud) -> EdgeCloud:
    """S3 and a bus, with no events left over from another test."""
    _cloud.events()
    return _cloud


@pytest.fixture
def edge(tmp_path: Path, cloud: EdgeCloud) -> Iterator[EdgeProcess]:
    """A running edge with quick settings."""
    with EdgeProcess(tmp_path, cloud.environment) as process:
        yield process
