"""The embedded PostgreSQL: private, restartable, gone with its parent."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_ingest.db.server.connection import connect
from dicom_ingest.errors import DatabaseAwayError
from local.postgres.databases import DatabaseNameError, create_database, session, without_password
from local.postgres.server import Postgres
from tests.support.machine.waiting import wait_until

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


def test_a_test_gets_an_empty_utf8_database_of_its_own(database_url: str) -> None:
    with session(database_url) as connection:
        assert connection.run("SHOW server_encoding") == [{"server_encoding": "UTF8"}]
        assert connection.run("SHOW server_version")[0]["server_version"].startswith("16.")
        assert connection.run("SELECT * FROM pg_tables WHERE schemaname = 'public'") == []


def test_a_database_can_be_copied_from_a_template(own_server: Postgres) -> None:
    with session(create_database(own_server.admin_url, "original")) as connection:
        connection.run("CREATE TABLE kept (n int)")
    with session(create_database(own_server.admin_url, "copy", template="original")) as connection:
        assert connection.run("SELECT * FROM kept") == []


def test_nothing_listens_on_tcp_and_the_folder_is_private(own_server: Postgres) -> None:
    with session(own_server.admin_url) as connection:
        assert connection.run("SHOW listen_addresses") == [{"listen_addresses": ""}]
    assert stat.S_IMODE(own_server.folder.stat().st_mode) == 0o700


@needs_proc
def test_the_server_never_runs_as_root(own_server: Postgres) -> None:
    assert own_server.pid is not None
    assert Path(f"/proc/{own_server.pid}").stat().st_uid != 0


def test_the_permissions_of_parent_folders_stay_as_they_were() -> None:
    parents = [Path(sys.prefix), *Path(sys.prefix).parents]
    before = [parent.stat().st_mode for parent in parents]
    Postgres().close()
    assert [parent.stat().st_mode for parent in parents] == before


@pytest.mark.parametrize("way", ["stop", "crash"])
def test_what_was_committed_survives_a_stop_and_a_crash(own_server: Postgres, way: str) -> None:
    url = create_database(own_server.admin_url, f"survives_{way}")
    with session(url) as connection:
        connection.run("CREATE TABLE kept AS SELECT 1 AS n")
    (own_server.stop if way == "stop" else own_server.crash)()
    with pytest.raises(DatabaseAwayError):
        connect(url)
    own_server.start()
    with session(url) as connection:
        assert connection.run("SELECT n FROM kept") == [{"n": 1}]


@needs_proc
def test_the_server_and_its_folder_are_gone_when_the_parent_is_killed() -> None:
    script = (
        "from local.postgres.server import Postgres; import sys\n"
        "server = Postgres().start(); print(server.pid, server.folder, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        parent.kill()
    wait_until(lambda: not (Path(folder).exists() or Path(f"/proc/{pid}").exists()), "nothing is left behind")


def test_a_name_that_needs_quoting_is_refused() -> None:
    with pytest.raises(DatabaseNameError, match="cannot name a database"):
        create_database("postgresql://nobody@/postgres?host=/nowhere", 'x"; DROP DATABASE y')


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_another_user_cannot_reach_the_socket(own_server: Postgres) -> None:
    script = f"import socket; socket.socket(socket.AF_UNIX).connect('{own_server.folder}/.s.PGSQL.5432')"
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", script], user=1, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql://me:secret@db:5432/index?sslmode=disable",
            "postgresql://me:***@db:5432/index?sslmode=disable",
        ),
        ("postgresql://me@/index?host=/run/pg", "postgresql://me@/index?host=/run/pg"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
