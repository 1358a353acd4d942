"""Every statement of the index finds its rows by an index: what is quick today is quick after years.

The database is small, so what is quick on small tables only is switched off: a sequential scan is left only
where no index can do it.
``python -m benchmarks size`` reads the same plans, and times, at a million series.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.database import statements
from benchmarks.database.fill import Size, fill
from benchmarks.database.plans import Explaining
from dicom_ingest.db.server.connection import Connection, Database
from local.postgres.databases import create_database, drop_database
from local.postgres.server import Postgres
from tests.support.machine.postgres import unique_database_name

SIZE = Size(studies=150, instances_of_series=2, waiting=300, held=10)


@pytest.fixture(scope="module")
def filled(postgres_server: Postgres, template_database: str) -> Iterator[Connection]:
    """A transaction on a database in which every table has rows."""
    name = unique_database_name()
    database = Database(create_database(postgres_server.admin_url, name, template=template_database))
    with database.transaction() as connection:
        fill(connection, SIZE)
        connection.run("ANALYZE")
    with database.transaction() as connection:
        for way in ("seqscan", "mergejoin", "hashjoin"):
            connection.run(f"SET LOCAL enable_{way} = off")
        yield connection
    database.close()
    drop_database(postgres_server.admin_url, name)


@pytest.fixture
def examples(filled: Connection) -> statements.Known:
    return statements.known(filled)


def test_nothing_that_is_read_reads_a_whole_table(filled: Connection, examples: statements.Known) -> None:
    explaining = Explaining(filled)
    for action in (statements.reads(examples) | statements.upkeep(examples)).values():
        action(explaining)
    assert not explaining.faults, "\n".join(explaining.faults)


def test_no_step_of_a_series_reads_a_whole_table(filled: Connection, examples: statements.Known) -> None:
    explaining = Explaining(filled)
    filled.run("SAVEPOINT before")
    for action in statements.Path(examples).steps().values():
        action(explaining)
    filled.run("ROLLBACK TO before")
    assert not explaining.faults, "\n".join(explaining.faults)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM series_transfer WHERE outcome_detail = 'x'",
        "SELECT count(*) FROM instance_transfer",
        "SELECT max(verdict) FROM instance_transfer",
        "SELECT * FROM series_transfer WHERE bucket = 'x' ORDER BY first_received_at DESC, pk DESC LIMIT 1",
        "UPDATE ahlijob SET message = 'x' WHERE job_name = 'x'",
    ],
)
def test_a_statement_that_reads_a_whole_table_is_found(filled: Connection, sql: str) -> None:
    explaining = Explaining(filled)
    explaining.run(sql)
    assert explaining.faults
