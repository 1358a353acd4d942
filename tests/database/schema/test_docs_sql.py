"""The SQL that the pages print is understood by PostgreSQL, as the operator who would type it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from dicom_ingest.contracts.messages.steps import DatabaseUser
from dicom_ingest.db.server import users
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import DatabaseAwayError
from tests.support.machine.postgres import unique_database_name
from tests.support.pages.documentation import pages


def statements(text: str) -> list[str]:
    """In blocks of SQL, in code spans, and behind `ops sql`."""
    blocks = re.findall(r"^ *```sql\n(.*?)^ *```$", text, flags=re.DOTALL | re.MULTILINE)
    in_blocks = [part for block in blocks for part in re.sub(r"--.*", "", block).split(";")]
    spans = re.findall(r"`(SELECT [^`]*)`", text)
    typed = re.findall(r"""sql ["'](SELECT [^"]*)["']""", text)
    return [" ".join(found.rstrip("; ").split()) for found in (*in_blocks, *spans, *typed) if found.strip()]


STATEMENTS = sorted({statement for page in pages() for statement in statements(page.text)})


@pytest.fixture
def operator(database: Database, migrated_url: str) -> Iterator[Callable[[str], object]]:
    """Explains a statement as the operator's database user."""
    name = unique_database_name()  # roles belong to the whole server
    with database.transaction() as connection:
        users.ensure(connection, DatabaseUser(name=name, role="operator"), "secret")
    session = Database(urlunsplit(urlsplit(migrated_url)._replace(netloc=f"{name}@")))

    def explain(statement: str) -> object:
        with session.transaction() as connection:
            return connection.run(f"EXPLAIN {statement}")

    yield explain
    session.close()


def test_every_statement_on_a_page_can_be_run_by_an_operator(operator: Callable[[str], object]) -> None:
    assert len(STATEMENTS) > 8
    for statement in STATEMENTS:
        assert operator(statement), statement


def test_a_wrong_column_is_found(operator: Callable[[str], object]) -> None:
    (wrong,) = statements("`SELECT no_such_column FROM ahlijob;`")
    with pytest.raises(DatabaseAwayError):
        operator(wrong)
