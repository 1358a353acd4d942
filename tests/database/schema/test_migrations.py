"""Migrations on real PostgreSQL: long statements, locks, lost clients, and no change to a known one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicom_ingest.db.server.connection import Database
from dicom_ingest.db.server.migrate import LOCK, MIGRATIONS, migrate, migration_names
from dicom_ingest.errors import MigrationUnderWayError
from tests.support.machine.waiting import wait_until

KNOWN = Path(__file__).with_name("known_migrations.json")
INDEX = "-- outside a transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_word ON words (word);\n"
VALID = "SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('by_word')"


@pytest.fixture
def words(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """A database with one table, and its migrations in `tmp_path`."""
    (tmp_path / "0001_words.sql").write_text("CREATE TABLE words (word text);")
    database = Database(database_url)
    assert migrate(database, folder=tmp_path) == ["0001_words"]
    yield database
    database.close()


@pytest.fixture
def other(words: Database) -> Iterator[Database]:
    """Another session."""
    database = Database(words.url)
    yield database
    database.close()


def test_every_migration_applies_once(migrated_url: str) -> None:
    database = Database(migrated_url)
    assert migrate(database) == []
    with database.transaction() as connection:
        rows = connection.run("SELECT name FROM migration ORDER BY name")
    assert [row["name"] for row in rows] == migration_names()
    database.close()


def test_a_migration_never_changes_once_it_is_known() -> None:
    """Add a new one to the file; a database that has run the old text never sees a change."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in MIGRATIONS.glob("*.sql")}
    assert found == json.loads(KNOWN.read_text(encoding="utf-8"))


def test_a_long_statement_is_not_limited_by_the_functions_time_out(words: Database, tmp_path: Path) -> None:
    (tmp_path / "0002_slow.sql").write_text(
        "CREATE TABLE limits AS SELECT name, setting FROM pg_settings "
        "WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout');"
    )
    migrate(words, folder=tmp_path)
    with words.transaction() as connection:
        assert {row["setting"] for row in connection.run("SELECT setting FROM limits")} == {"0"}


def test_a_table_in_use_is_waited_for_in_short_tries(
    words: Database, other: Database, tmp_path: Path
) -> None:
    (tmp_path / "0002_alter.sql").write_text("ALTER TABLE words ADD COLUMN length integer;")
    done = threading.Event()

    def work() -> None:
        migrate(Database(words.url), folder=tmp_path)
        done.set()

    with words.transaction() as reader:
        reader.run("SELECT * FROM words")
        thread = threading.Thread(target=work)
        thread.start()
        # It is refused repeatedly. In between, others read and write the table.
        with other.transaction() as writer:
            writer.run("INSERT INTO words VALUES ('written')")
        assert not done.is_set()
    thread.join(60)
    assert done.is_set()


def test_an_index_is_built_while_a_transaction_writes(
    words: Database, other: Database, tmp_path: Path
) -> None:
    (tmp_path / "0002_index.sql").write_text(INDEX)
    with words.transaction() as connection:
        connection.run("INSERT INTO words VALUES ('one')")
        thread = threading.Thread(target=migrate, args=(Database(words.url),), kwargs={"folder": tmp_path})
        thread.start()
        _until(other, "SELECT count(*) > 0 AS yes FROM pg_stat_progress_create_index")
        with other.transaction() as writer:
            writer.run("INSERT INTO words VALUES ('two')")
    thread.join(60)
    with words.transaction() as connection:
        assert connection.run(VALID) == [{"valid": True}]


def test_a_client_that_is_lost_leaves_the_server_at_work_and_the_next_call_finds_it_done(
    words: Database, other: Database, tmp_path: Path
) -> None:
    (tmp_path / "0002_index.sql").write_text(INDEX)
    with words.transaction() as connection:
        connection.run("INSERT INTO words VALUES ('one')")
        with pytest.raises(MigrationUnderWayError, match="0002_index"):
            migrate(Database(words.url), patience=1, folder=tmp_path)
        with pytest.raises(MigrationUnderWayError, match="another session"):
            migrate(Database(words.url), patience=0, folder=tmp_path)
    _until(other, f"SELECT count(*) = 0 AS yes FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK}")
    assert migrate(words, folder=tmp_path) == ["0002_index"]
    with words.transaction() as connection:
        assert connection.run(VALID) == [{"valid": True}]


def test_an_index_that_was_left_invalid_is_built_again(words: Database, tmp_path: Path) -> None:
    unique = INDEX.replace("CREATE INDEX", "CREATE UNIQUE INDEX")
    (tmp_path / "0002_index.sql").write_text(unique)
    with words.transaction() as connection:
        connection.run("INSERT INTO words VALUES ('same'), ('same')")
    with pytest.raises(Exception, match="23505"):
        migrate(Database(words.url), folder=tmp_path)
    with words.transaction() as connection:
        assert connection.run(VALID) == [{"valid": False}]
        connection.run("DELETE FROM words")
    assert migrate(words, folder=tmp_path) == ["0002_index"]
    with words.transaction() as connection:
        assert connection.run(VALID) == [{"valid": True}]


def test_two_deploys_at_once_apply_each_migration_once(database_url: str) -> None:
    applied: list[list[str]] = []
    work: Callable[[], None] = lambda: applied.append(migrate(Database(database_url)))  # noqa: E731
    crew = [threading.Thread(target=work) for _ in range(2)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(60)
    assert sorted(applied) == [[], migration_names()]


def _until(database: Database, sql: str) -> None:
    """Ask until the answer is yes."""

    def yes() -> bool:
        with database.transaction() as connection:
            return bool((connection.one(sql) or {})["yes"])

    wait_until(yes, sql)
