"""PostgreSQL for tests: a real server, once a test process, and an empty database for every test."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from local.postgres.databases import create_database, drop_database
from local.postgres.server import Postgres


def unique_database_name() -> str:
    """A name that no other test uses."""
    return f"test_{uuid4().hex}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The server that tests share; who stops or crashes one takes a `Postgres()` of its own."""
    with Postgres() as server:
        yield server


@pytest.fixture
def database_url(postgres_server: Postgres) -> Iterator[str]:
    """``DATABASE_URL`` of an empty database, dropped after the test."""
    name = unique_database_name()
    yield create_database(postgres_server.admin_url, name)
    drop_database(postgres_server.admin_url, name)
