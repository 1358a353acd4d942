"""Fixtures of the database suite: a migrated database on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.db.server.connection import Database
from dicom_ingest.db.server.migrate import migrate
from local.postgres.databases import create_database, drop_database
from local.postgres.server import Postgres
from tests.support.machine.postgres import unique_database_name

DATASTORE = "d" * 32


@pytest.fixture(scope="session")
def template_database(postgres_server: Postgres) -> Iterator[str]:
    """A migrated database that others are copied from; nobody stays connected to it."""
    name = unique_database_name()
    database = Database(create_database(postgres_server.admin_url, name))
    migrate(database)
    database.close()
    yield name
    drop_database(postgres_server.admin_url, name)


@pytest.fixture
def migrated_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """``DATABASE_URL`` of a migrated database of the test's own."""
    name = unique_database_name()
    yield create_database(postgres_server.admin_url, name, template=template_database)
    drop_database(postgres_server.admin_url, name)


@pytest.fixture
def connect_database(migrated_url: str) -> Iterator[Callable[[], Database]]:
    """Opens more connections to the test's database; closes them all."""
    opened: list[Database] = []

    def connect() -> Database:
        opened.append(Database(migrated_url))
        return opened[-1]

    yield connect
    for database in opened:
        database.close()


@pytest.fixture
def database(connect_database: Callable[[], Database]) -> Database:
    """The test's database, with a semaphore of three slots."""
    database = connect_database()
    with database.transaction() as connection:
        queueing.configure(
            connection,
            SemaphoreSettings(datastore_id=DATASTORE, capacity=3, start_rate=1000, start_burst=1000),
        )
    return database
