"""Connections: checked, verified, waited for, bounded, and tried again where another transaction won."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from dicom_ingest.db.server.connection import Connection, Database, connect
from dicom_ingest.errors import DatabaseAwayError, DatabaseConflictError, IndexRefusedError
from local.postgres.server import Postgres
from tests.support.edge.network.certificates import Certificates, make_certificates

READY = b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I"


def refusal(code: str) -> bytes:
    """ErrorResponse with this SQLSTATE."""
    body = f"SFATAL\0C{code}\0Mrefused\0\0".encode()
    return b"E" + struct.pack("!I", len(body) + 4) + body


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def server(
    certificates: Certificates, answer: bytes = READY, *, speaks_tls: bool = True, resumes_after: float = 0
) -> Iterator[int]:
    """The first words of a PostgreSQL server that has TLS, or has not; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with accepted:
                threading.Event().wait(resumes_after)
                accepted.recv(8)
                accepted.sendall(b"S" if speaks_tls else b"N")
                if speaks_tls:
                    greet(accepted)

        def greet(accepted: socket.socket) -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.certificate, certificates.key)
            try:
                with context.wrap_socket(accepted, server_side=True) as secured:
                    secured.recv(4096)
                    secured.sendall(answer)
                    secured.recv(4096)
            except (ssl.SSLError, ConnectionError):
                return  # the client did not believe us

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(timeout=10)


def url(port: int, ca: Path | None, host: str = "127.0.0.1") -> str:
    return f"postgresql://u:p@{host}:{port}/index" + (f"?cafile={ca}" if ca else "")


def test_a_server_with_the_right_certificate_is_believed(certificates: Certificates) -> None:
    with server(certificates) as port:
        connect(url(port, certificates.ca)).close()


def test_a_certificate_of_nobody_we_know_is_not_believed(certificates: Certificates) -> None:
    with server(certificates) as port, pytest.raises(DatabaseAwayError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(url(port, None))


def test_a_certificate_for_another_host_is_not_believed(certificates: Certificates) -> None:
    with server(certificates) as port, pytest.raises(DatabaseAwayError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(url(port, certificates.ca, host="localhost"))


def test_a_server_without_tls_is_refused_rather_than_told_the_password(certificates: Certificates) -> None:
    with (
        server(certificates, speaks_tls=False) as port,
        pytest.raises(DatabaseAwayError, match="refuses SSL"),
    ):
        connect(url(port, certificates.ca))


def test_a_resuming_server_is_waited_for(certificates: Certificates) -> None:
    with server(certificates, resumes_after=1.0) as port:
        connect(url(port, certificates.ca)).close()


@pytest.mark.parametrize("code", ["57P03", "53300", "28P01", "28000"])
def test_a_server_that_refuses_for_now_is_tried_again_later(certificates: Certificates, code: str) -> None:
    """57P03 is starting, 53300 has too many connections; a rotated secret (28P01) is read anew each time."""
    with server(certificates, refusal(code)) as port, pytest.raises(DatabaseAwayError, match=code):
        connect(url(port, certificates.ca))


def test_nobody_listening_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(DatabaseAwayError):
        connect(url(port, None))


def test_statements_locks_and_forgotten_transactions_end_by_themselves(migrated_url: str) -> None:
    connection = connect(migrated_url)
    found = {
        name: connection.run(f"SHOW {name}")[0][name]
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    }
    connection.close()
    assert found == {
        "statement_timeout": "40s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
    }


def test_a_connection_that_died_between_two_calls_is_replaced(
    database: Database, connect_database: Callable[[], Database]
) -> None:
    with database.transaction() as connection:
        (first,) = connection.run("SELECT pg_backend_pid() AS pid")
    with connect_database().transaction() as connection:
        connection.run("SELECT pg_terminate_backend(:pid, 5000)", pid=first["pid"])
    with database.transaction() as connection:
        (second,) = connection.run("SELECT pg_backend_pid() AS pid")
    assert first != second


def test_a_restarted_server_is_found_again() -> None:
    with Postgres() as own:
        database = Database(own.admin_url)
        with database.transaction() as connection:
            connection.run("SELECT 1")
        own.restart()
        with database.transaction() as connection:
            assert connection.run("SELECT 1 AS one") == [{"one": 1}]
        database.close()


def test_a_deadlock_is_tried_again_inside_the_function(
    database: Database, connect_database: Callable[[], Database]
) -> None:
    with database.transaction() as connection:
        connection.run("CREATE TABLE pair (n integer PRIMARY KEY, touched integer DEFAULT 0)")
        connection.run("INSERT INTO pair (n) VALUES (1), (2)")
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def touch(first: int, second: int) -> Callable[[Connection], None]:
        waited = False

        def work(connection: Connection) -> None:
            nonlocal waited
            tries.append(first)
            connection.run("UPDATE pair SET touched = touched + 1 WHERE n = :n", n=first)
            if not waited:
                waited = True
                both_hold_one.wait(30)
            connection.run("UPDATE pair SET touched = touched + 1 WHERE n = :n", n=second)

        return work

    other = threading.Thread(target=lambda: connect_database().do(touch(2, 1)))
    other.start()
    database.do(touch(1, 2))
    other.join(timeout=30)
    with database.transaction() as connection:
        assert connection.run("SELECT touched FROM pair") == [{"touched": 2}, {"touched": 2}]
    assert len(tries) == 3, "one of them lost once"


def test_who_loses_three_times_leaves_it_to_the_state_machine(database: Database) -> None:
    tries: list[int] = []

    def lose(_: Connection) -> None:
        tries.append(1)
        raise DatabaseConflictError("40001")

    with pytest.raises(DatabaseConflictError):
        database.do(lose)
    assert len(tries) == 3


def test_the_servers_words_about_a_value_reach_no_log(database: Database) -> None:
    statement = (
        "INSERT INTO patient (issuer, identifier, identifier_is_study, received_at) "
        "VALUES ('a', 'b', CAST(:x AS boolean), now())"
    )
    with pytest.raises(IndexRefusedError) as caught, database.transaction() as connection:
        connection.run(statement, x="Phantom^Torso")
    text = "".join(traceback.format_exception(caught.value))
    assert "22P02" in str(caught.value)
    assert "SQLSTATE" in text
    assert "invalid input" not in text
    assert "Phantom" in caught.value.server_words


class Colour(Enum):
    """For rows that have one."""

    RED = "red"


@dataclass(frozen=True)
class Painted:
    """A row."""

    pk: int
    colour: Colour
    other: Colour | None


def test_rows_come_as_the_dataclass_that_is_asked_for(database: Database) -> None:
    with database.transaction() as connection:
        found = connection.row(Painted, "SELECT 1 AS pk, 'red' AS colour, NULL AS other")
        assert found == Painted(1, Colour.RED, None)
        assert connection.row(Painted, "SELECT 1 AS pk, 'red' AS colour, NULL AS other WHERE false") is None
        with pytest.raises(TypeError, match="colour"):
            connection.rows(Painted, "SELECT 1 AS pk, NULL AS other")
        with pytest.raises(ValueError, match="blue"):
            connection.rows(Painted, "SELECT 1 AS pk, 'blue' AS colour, NULL AS other")
