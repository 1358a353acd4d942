"""Database users: each sees and does what it needs, and no more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from dicom_ingest.contracts.messages.steps import DatabaseUser
from dicom_ingest.db.server import users
from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.errors import DatabaseAwayError
from tests.database.conftest import DATASTORE
from tests.support.machine.postgres import unique_database_name
from tests.support.workflow.workers import Execution

READ_ONLY = "42501"  # insufficient_privilege


def sign_in(migrated_url: str, name: str) -> Database:
    parts = urlsplit(migrated_url)
    return Database(urlunsplit(parts._replace(netloc=f"{name}@")))


def test_an_operator_reads_every_table_as_written_but_no_task_token(
    database: Database, migrated_url: str
) -> None:
    Execution(database, DATASTORE).acquire()
    name = unique_database_name()  # roles belong to the whole server
    with database.transaction() as connection:
        users.ensure(connection, DatabaseUser(name=name, role="operator"), "it's a \\ secret")
    operator = sign_in(migrated_url, name)
    with operator.transaction() as connection:
        (ticket,) = connection.run("SELECT * FROM Ahlijob;")
        for table in ("Patient", "Study", "Series", "Ahliimageset", "ledger", "progress"):
            connection.run(f"SELECT * FROM {table}")
    assert "task_token" not in ticket
    assert ticket["status"] == 2
    with pytest.raises(DatabaseAwayError, match=READ_ONLY), operator.transaction() as connection:
        connection.run("SELECT task_token FROM public.ahlijob")
    with pytest.raises(DatabaseAwayError, match=READ_ONLY), operator.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 0")
    operator.close()


def test_a_functions_user_writes_rows_and_deletes_none(database: Database, migrated_url: str) -> None:
    name = unique_database_name()
    with database.transaction() as connection:
        users.ensure(connection, DatabaseUser(name=name, connection_limit=7))
        users.ensure(connection, DatabaseUser(name=name, connection_limit=9))
        (role,) = connection.run("SELECT rolconnlimit FROM pg_roles WHERE rolname = :name", name=name)
    assert role == {"rolconnlimit": 9}
    function = sign_in(migrated_url, name)
    Execution(function, DATASTORE).acquire()
    with pytest.raises(DatabaseAwayError, match=READ_ONLY), function.transaction() as connection:
        connection.run("DELETE FROM ahlijob")
    with pytest.raises(DatabaseAwayError, match=READ_ONLY), function.transaction() as connection:
        connection.run("DROP TABLE ahlijob")
    function.close()


def test_a_password_reaches_postgresql_as_what_it_keeps_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL writes the text of a statement that fails to its log, and that log is exported."""
    sent: list[str] = []
    run = Connection.run

    def seen(self: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
        sent.append(f"{sql} {values}")
        return run(self, sql, **values)

    monkeypatch.setattr(Connection, "run", seen)
    name, password = unique_database_name(), "it's a \\ secret"
    with database.transaction() as connection:
        users.ensure(connection, DatabaseUser(name=name, role="operator"), password)
        (kept,) = connection.run("SELECT rolpassword FROM pg_authid WHERE rolname = :name", name=name)
    assert not [statement for statement in sent if "secret" in statement]
    # RFC 5802, 3: what PostgreSQL would have computed of the password with this salt.
    _, iterations, salt, stored, server = re.split(r"[$:]", str(kept["rolpassword"]))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client = hmac.digest(salted, b"Client Key", "sha256")
    assert base64.b64decode(stored) == hashlib.sha256(client).digest()
    assert base64.b64decode(server) == hmac.digest(salted, b"Server Key", "sha256")
    assert int(iterations) >= 4096
