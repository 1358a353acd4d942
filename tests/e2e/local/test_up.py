"""`up` and the commands of another terminal, from a DICOM sender to an image set."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.postgres.databases import create_database, session
from local.postgres.server import Postgres
from tests.support.local.cli import ANY_PORT, Up, gone, ops, run, up
from tests.support.local.dicom import write_series
from tests.support.machine.postgres import unique_database_name
from tests.support.machine.waiting import wait_until

pytestmark = pytest.mark.xdist_group("local-up")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A run that nothing in this module harms, in an environment that could lead it astray."""
    with up(
        tmp_path_factory.mktemp("runs"), TZ="America/New_York", HTTP_PROXY="http://127.0.0.1:9"
    ) as running:
        running.state()
        yield running


@pytest.fixture(scope="module")
def series(running: Up, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A series that went all the way."""
    folder = tmp_path_factory.mktemp("dicom")
    uid = write_series(folder, 3)
    (folder / "notes.txt").write_text("not DICOM")
    sent = run(running.runs, "send", str(folder))
    assert sent.returncode == 0, sent.stderr
    assert "1 not sent, not DICOM: notes.txt" in sent.stdout
    assert "3 of 3 instances accepted, 1 series" in sent.stdout
    wait_until(lambda: "COMPLETED" in ops(running.runs, "status").stdout)
    return uid


def test_it_prints_every_address_and_says_that_it_starts_empty(running: Up) -> None:
    state = running.state()
    wait_until(lambda: "Ctrl-C stops it" in running.said)
    for address in ("aws_url", "healthimaging_url", "datastore_id", "database_url", "bucket"):
        assert state[address] in running.said
    assert f"127.0.0.1:{state['dicom_port']}" in running.said
    assert "starts empty" in running.said


def test_everything_listens_on_loopback_only(running: Up) -> None:
    for process in running.family():
        for connection in process.net_connections(kind="tcp"):
            if connection.status == "LISTEN":
                assert connection.laddr.ip == "127.0.0.1", (process.name(), connection)


def test_the_operators_command_line_finds_the_run_by_itself(running: Up, series: str) -> None:
    found = ops(running.runs, "where", series, HTTP_PROXY="http://127.0.0.1:9")
    assert found.returncode == 0, found.stderr
    assert "3 IMPORTED" in found.stdout
    status = ops(running.runs, "status", HTTP_PROXY="http://127.0.0.1:9")
    assert (
        f"{running.state()['edge']}: 3 instances received, 0 of them duplicates, 3 uploaded" in status.stdout
    )
    assert series in ops(running.runs, "sql", "SELECT * FROM Series").stdout


def test_a_replay_runs_the_workflow_again_and_imports_nothing_twice(running: Up, series: str) -> None:
    replayed = ops(running.runs, "replay", "--since", "1d", "--replay-name", "again")
    assert replayed.returncode == 0, replayed.stderr
    assert "replay again of " in replayed.stdout
    _worked_on_again(running, series, times=2)


def test_what_is_reprocessed_is_worked_on_again_and_not_imported_twice(running: Up, series: str) -> None:
    before = _fence(running, series)
    again = ops(running.runs, "reprocess", series, "--json")
    assert again.returncode == 0, again.stderr
    (row,) = json.loads(again.stdout)
    assert row["series_instance_uid"] == series
    _worked_on_again(running, series, times=before + 1)


def _fence(running: Up, series: str) -> int:
    """How many executions have worked on it."""
    statement = f"SELECT fence FROM series_transfer WHERE series_instance_uid = '{series}'"
    (row,) = json.loads(ops(running.runs, "sql", statement, "--json").stdout)
    fence: int = row["fence"]
    return fence


def _worked_on_again(running: Up, series: str, times: int) -> None:
    wait_until(lambda: _fence(running, series) == times)
    imports = "SELECT count(*) AS imports FROM Ahlijob WHERE import_id IS NOT NULL"
    assert json.loads(ops(running.runs, "sql", imports, "--json").stdout) == [{"imports": 1}]


def test_a_second_run_of_the_same_name_is_refused(running: Up) -> None:
    second = run(running.runs, "up", *ANY_PORT)
    assert second.returncode == 2
    assert second.stderr.startswith("error: a run named 'up' is under way")


def test_a_taken_port_is_one_clear_line(running: Up) -> None:
    port = str(running.state()["dicom_port"])
    second = run(running.runs, "up", "--run", "second", "--edge-port", port, "--health-port", "0")
    assert second.returncode == 2
    assert second.stderr.startswith(f"error: --edge-port {port} on 127.0.0.1: Address already in use")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(tmp_path: Path, how: signal.Signals) -> None:
    with up(tmp_path) as running:
        state = running.state()
        family = running.family()
        assert len(family) > 4
        status = running.stop(how)
        assert status == (-signal.SIGKILL if how == signal.SIGKILL else 0)
        wait_until(lambda: gone(family))
        folder = state["database_url"].partition("host=")[2]
        wait_until(lambda: not os.path.exists(folder))  # noqa: PTH110
        assert ops(tmp_path, "status").returncode == 2


def test_a_part_that_crashes_ends_the_run_and_is_named(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        pid = running.state()["parts"]["healthimaging"]
        family = running.family()
        os.kill(pid, signal.SIGKILL)
        assert running.process.wait(60) == 1
        assert "error: healthimaging ended by itself (status -9)" in running.said
        wait_until(lambda: gone(family))


def test_another_database_server_gets_a_database_of_the_run_and_loses_it_again(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    foreign = create_database(postgres_server.admin_url, unique_database_name())

    def databases() -> set[str]:
        with session(foreign) as connection:
            return {row["datname"] for row in connection.run("SELECT datname FROM pg_database")}

    before = databases()
    with up(tmp_path, DATABASE_URL=foreign) as running:
        running.state()
        (own,) = databases() - before
        assert own.startswith("dicom_ingest_up_")
        assert running.stop() == 0
    assert databases() == before


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_what_cannot_start_is_named_and_the_rest_is_stopped(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{unused_port()}/postgres?sslmode=disable"
    started: Any = run(tmp_path, "up", *ANY_PORT, DATABASE_URL=url)
    assert started.returncode == 1
    assert started.stderr.startswith("error: ")
    assert f"DATABASE_URL or --database-url {url.split('?')[0]}" in started.stderr
    assert "Using the PostgreSQL server of DATABASE_URL" in started.stdout
    assert not list(tmp_path.glob("*/state.json"))


def test_wrong_settings_of_the_emulator_are_reported_from_its_log(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"no_such_setting": 1}))
    started = run(tmp_path, "up", *ANY_PORT, "--healthimaging-settings", str(settings))
    assert started.returncode == 1
    assert "error: healthimaging ended by itself" in started.stderr
    assert "no_such_setting" in started.stderr
