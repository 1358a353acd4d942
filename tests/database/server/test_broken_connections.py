"""A connection that is not certainly clean is closed, and the cause is what the caller sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.errors import ClaimLostError, DatabaseAwayError, IndexRefusedError
from tests.support.machine.silent_proxy import SilentProxy, silent_proxy

PATIENCE_SECONDS = 0.3


@pytest.fixture
def proxy(migrated_url: str) -> Iterator[SilentProxy]:
    with silent_proxy(migrated_url, PATIENCE_SECONDS) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: SilentProxy) -> Iterator[Database]:
    database = Database(proxy.url)
    yield database
    database.close()


def backend(database: Database) -> int:
    with database.transaction() as connection:
        return int(connection.run("SELECT pg_backend_pid() AS pid")[0]["pid"])


def answers(database: Database) -> bool:
    """Two statements, each with its own answer."""
    with database.transaction() as connection:
        return [connection.run(f"SELECT {n} AS n")[0]["n"] for n in (1, 2)] == [1, 2]


def test_a_server_that_falls_silent_in_a_statement_is_away_until_it_heals(
    proxy: SilentProxy, through: Database
) -> None:
    first = backend(through)

    def fall_silent(connection: Connection) -> None:
        connection.run("SELECT 1")
        proxy.silent = True
        connection.run("SELECT 2")

    with pytest.raises(DatabaseAwayError):
        through.do(fall_silent)
    with pytest.raises(DatabaseAwayError):
        answers(through)
    proxy.silent = False
    assert answers(through)
    assert backend(through) != first


def test_a_server_that_falls_silent_at_commit_is_away(proxy: SilentProxy, through: Database) -> None:
    def fall_silent(connection: Connection) -> None:
        connection.run("SELECT 1")
        proxy.silent = True

    with pytest.raises(DatabaseAwayError):
        through.do(fall_silent)
    proxy.silent = False
    assert answers(through)


def test_a_rollback_that_fails_does_not_hide_the_cause(proxy: SilentProxy, through: Database) -> None:
    def lose(_: Connection) -> None:
        proxy.silent = True
        raise ClaimLostError("the cause")

    with pytest.raises(ClaimLostError):
        through.do(lose)
    proxy.silent = False
    assert answers(through)


def test_an_idle_connection_whose_server_is_gone_is_replaced_without_an_error(
    through: Database, migrated_url: str
) -> None:
    first = backend(through)
    other = Database(migrated_url)
    with other.transaction() as connection:
        connection.run("SELECT pg_terminate_backend(:pid, 5000)", pid=first)
    other.close()
    assert backend(through) != first


def test_a_value_that_the_driver_cannot_read_leaves_no_answer_behind(database: Database) -> None:
    """A leap second is 24:00:00 to PostgreSQL, which the driver cannot parse."""
    with pytest.raises(DatabaseAwayError, match="ValueError"), database.transaction() as connection:
        connection.run("SELECT CAST('23:59:60' AS time) FROM generate_series(1, 2)")
    assert answers(database)


def test_a_statement_that_the_driver_cannot_send_leaves_no_answer_behind(database: Database) -> None:
    with pytest.raises(DatabaseAwayError), database.transaction() as connection:
        connection.run("SELECT CAST(:a AS text)", a="\ud800")
    assert answers(database)


@pytest.mark.parametrize(
    ("state", "statement"),
    [
        ("25006", "CREATE TABLE t (n integer)"),
        ("42501", "SELECT pg_read_file('/etc/hostname')"),
        ("42P01", "SELECT FROM of_a_migration_to_come"),
        ("42703", "SELECT column_to_come FROM patient"),
        ("0A000", "SELECT count(*) FROM patient FOR UPDATE"),
        ("XX000", "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'XX000'; END $$"),
        ("58030", "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '58030'; END $$"),
        ("55006", "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '55006'; END $$"),
        ("53100", "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$"),
    ],
)
def test_what_no_value_is_to_blame_for_is_tried_again_on_another_connection(
    database: Database, state: str, statement: str
) -> None:
    first = backend(database)

    def work(connection: Connection) -> None:
        if state == "25006":
            connection.run("SET TRANSACTION READ ONLY")
        if state == "42501":
            connection.run("CREATE ROLE nobody_at_all")
            connection.run("SET LOCAL ROLE nobody_at_all")
        connection.run(statement)

    with pytest.raises(DatabaseAwayError, match=state):
        database.do(work)
    assert backend(database) != first


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT CAST('x' AS integer)",
        "SELECT CAST('2026-13-01' AS date)",
        "INSERT INTO patient (issuer) VALUES (NULL)",
        "INSERT INTO study (study_instance_uid, patient_pk, received_at) VALUES ('1', -1, now())",
        "INSERT INTO patient (issuer, identifier, identifier_is_study, received_at) "
        "SELECT string_agg(md5(n::text), ''), '', false, now() FROM generate_series(1, 9000) n",
    ],
)
def test_a_value_that_the_server_refuses_is_the_series_own_fault(database: Database, statement: str) -> None:
    first = backend(database)
    with pytest.raises(IndexRefusedError), database.transaction() as connection:
        connection.run(statement)
    assert backend(database) == first


def test_what_was_written_before_a_failure_is_not_there(
    database: Database, connect_database: Callable[[], Database]
) -> None:
    def write_then_break(connection: Connection) -> None:
        connection.run("CREATE TABLE written (n integer)")
        connection.run("SELECT CAST('24:00:00' AS time)")

    with pytest.raises(DatabaseAwayError):
        database.do(write_then_break)
    with connect_database().transaction() as connection:
        assert connection.run("SELECT to_regclass('written') AS t") == [{"t": None}]
