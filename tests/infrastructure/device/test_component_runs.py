"""The component as Greengrass runs it: rendered recipe, unpacked artifact, sudo, token exchange service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cdk.packaging.edge_wheels import PYTHONS
from tests.infrastructure.conftest import INTERPRETERS
from tests.support.cloud.greengrass import COMPONENT, THING, Nucleus, sudo_works
from tests.support.cloud.token_exchange import TokenExchange
from tests.support.edge.aws import EdgeCloud, edge_cloud
from tests.support.edge.dicom import send, series_of
from tests.support.machine.waiting import wait_until

SETTINGS = {
    "dicom_port": 0,
    "health_port": 0,
    "bind": "127.0.0.1",
    "drain_seconds": 1,
    "series_quiet_seconds": 0.3,
    "backoff_base_seconds": 0.05,
    "backoff_cap_seconds": 0.3,
    "disk_reserve_bytes": 0,
    "watermark_warn_percent": 100,
    "watermark_slow_percent": 100,
    "watermark_refuse_percent": 100,
}
SUDO = "sudo"
FIRST = next(iter(INTERPRETERS))
WAY = SUDO if sudo_works() else FIRST
"""How the component was installed that most tests share."""

shared = pytest.mark.xdist_group("installed-component")
"""Uses one installation after another: a second worker would install it again."""


@pytest.fixture(scope="session")
def artifact(edge_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip that a device downloads."""
    return Path(
        shutil.make_archive(str(tmp_path_factory.mktemp("artifact") / "0123abc"), "zip", edge_artifact)
    )


@pytest.fixture(scope="module")
def cloud() -> Iterator[EdgeCloud]:
    """S3 and the bus."""
    with edge_cloud() as found:
        yield found


@pytest.fixture
def exchange() -> Iterator[TokenExchange]:
    """The token exchange service."""
    service = TokenExchange()
    yield service
    service.close()


@contextmanager
def device(way: str) -> Iterator[Nucleus]:
    """A device with the Python, or the way of starting, of this name."""
    root = Path(tempfile.mkdtemp(prefix="greengrass-"))
    root.chmod(0o755)  # unlike pytest's own folders, every user may enter it
    try:
        yield Nucleus(root, None if way == SUDO else _shelf(root, INTERPRETERS[way]), SETTINGS)
    finally:
        shutil.rmtree(root)


def _shelf(root: Path, python: Path) -> Path:
    """A folder with this interpreter as `python3`."""
    (root / "python").mkdir()
    (root / "python" / "python3").symlink_to(python)
    return root / "python"


@pytest.fixture(scope="module")
def installed_once(artifact: Path) -> Iterator[Nucleus]:
    """By sudo where it can."""
    with device(WAY) as nucleus:
        yield install(nucleus, artifact)


@pytest.fixture
def nucleus(installed_once: Nucleus, cloud: EdgeCloud, exchange: TokenExchange) -> Nucleus:
    """A device with an installed component that has received nothing yet."""
    shutil.rmtree(installed_once.work / "spool", ignore_errors=True)
    return connect(installed_once, cloud, exchange)


def connect(nucleus: Nucleus, cloud: EdgeCloud, exchange: TokenExchange) -> Nucleus:
    cloud.events()
    nucleus.variables = {"AWS_ENDPOINT_URL": cloud.endpoint, **exchange.variables}
    return nucleus


@contextmanager
def running(nucleus: Nucleus) -> Iterator[subprocess.Popen[bytes]]:
    """The Run step at work, reaped when it ends as the nucleus does."""
    log = nucleus.root / "component.log"
    (nucleus.work / "ready.json").unlink(missing_ok=True)
    process = nucleus.start(log)
    reaper = threading.Thread(target=process.wait)
    reaper.start()
    try:
        wait_until(
            lambda: (nucleus.work / "ready.json").exists() or process.poll() is not None, "it is ready"
        )
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        if process.poll() is None:
            os.kill(nucleus.ready()["pid"], 9)
        reaper.join()


def status(nucleus: Nucleus) -> dict[str, Any]:
    url = f"http://127.0.0.1:{nucleus.ready()['health_port']}/status"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def install(nucleus: Nucleus, artifact: Path, version: str = "0.1.7") -> Nucleus:
    nucleus.deploy(artifact, version)
    done = nucleus.run("Install")
    assert done.returncode == 0, done.stdout + done.stderr
    return nucleus


def shut_down(nucleus: Nucleus, process: subprocess.Popen[bytes]) -> None:
    done = nucleus.run("Shutdown")
    assert done.returncode == 0, done.stderr
    assert process.wait(30) == 0


def announced(cloud: EdgeCloud) -> list[str]:
    """Series that were announced since the last look."""
    return [event["detail"]["series_instance_uid"] for event in cloud.announcements()]


@pytest.mark.parametrize("python", [pytest.param(v, marks=shared) if v == WAY else v for v in INTERPRETERS])
def test_it_installs_without_an_index_runs_uploads_and_shuts_down(
    python: str, request: pytest.FixtureRequest, artifact: Path, cloud: EdgeCloud, exchange: TokenExchange
) -> None:
    if python == WAY:
        serves_a_series(request.getfixturevalue("nucleus"), cloud, exchange)
        return
    with device(python) as fresh:
        serves_a_series(connect(install(fresh, artifact), cloud, exchange), cloud, exchange)


@shared
def test_started_by_sudo_it_uploads_and_shuts_down(
    nucleus: Nucleus, cloud: EdgeCloud, exchange: TokenExchange
) -> None:
    if not nucleus.by_sudo:
        pytest.skip("sudo is not installed, or asks for a password")
    serves_a_series(nucleus, cloud, exchange)


def serves_a_series(nucleus: Nucleus, cloud: EdgeCloud, exchange: TokenExchange) -> None:
    exchange.listen()
    with running(nucleus) as process:
        found = status(nucleus)
        assert (found["edge"], found["uplink"]["limit_mbit"]) == (THING, 1000)
        images = series_of(2)
        assert send(nucleus.ready()["dicom_port"], images) == [0, 0]
        wait_until(lambda: images[0].SeriesInstanceUID in announced(cloud), "the series is announced")
        shut_down(nucleus, process)
    assert set(exchange.answered) == {200}


@shared
@pytest.mark.parametrize("mode", ["down", "500", "silent"])
def test_without_credentials_at_the_start_it_receives_assembles_and_waits(
    nucleus: Nucleus, cloud: EdgeCloud, exchange: TokenExchange, mode: str
) -> None:
    """A power cut with the line down: the worker waits for credentials, and does not die without them."""
    exchange.mode = mode
    if mode != "down":
        exchange.listen()
    log = nucleus.root / "component.log"
    log.unlink(missing_ok=True)
    with running(nucleus) as process:
        images = series_of(2)
        assert send(nucleus.ready()["dicom_port"], images) == [0, 0]
        wait_until(lambda: status(nucleus)["series_sealed"] >= 1, "the series is sealed")
        assert status(nucleus)["instances_uploaded"] == 0
        worker = status(nucleus)["worker_pid"]
        if mode == "down":
            exchange.listen()
        exchange.mode = "well"
        exchange.over.set()
        wait_until(lambda: images[0].SeriesInstanceUID in announced(cloud), "the series is announced")
        now = status(nucleus)
        assert (now["worker_pid"], now["worker_restarts"]) == (worker, 0)
        shut_down(nucleus, process)
    assert "Traceback" not in log.read_text()


@shared
def test_a_second_version_takes_over_the_spool_of_the_first(
    nucleus: Nucleus, artifact: Path, tmp_path: Path, cloud: EdgeCloud, exchange: TokenExchange
) -> None:
    with running(nucleus) as process:
        images = series_of(3)
        assert send(nucleus.ready()["dicom_port"], images) == [0, 0, 0]
        shut_down(nucleus, process)
    install(nucleus, shutil.copyfile(artifact, tmp_path / "4567def.zip"), "0.1.8")
    shutil.rmtree(nucleus.root / "packages" / "artifacts-unarchived" / COMPONENT / "0.1.7")
    exchange.listen()
    with running(nucleus) as process:
        wait_until(lambda: images[0].SeriesInstanceUID in announced(cloud), "the series is announced")
        shut_down(nucleus, process)


@shared
def test_a_start_installs_nothing_again_but_what_was_installed_by_half(nucleus: Nucleus) -> None:
    python = nucleus.work / "venv" / "bin" / "python"
    python.unlink()
    assert nucleus.run("Install").returncode == 0
    assert not python.exists()
    (nucleus.work / "venv" / "installed").unlink()
    assert nucleus.run("Install").returncode == 0
    assert python.exists()


@shared
def test_an_operators_verb_runs_without_being_told_where_its_code_is(nucleus: Nucleus) -> None:
    command = [str(nucleus.work / "venv" / "bin" / "python"), "-m", "edge_component", "spool", "--help"]
    prefix = ["sudo", "-n", "-u", nucleus.user] if nucleus.by_sudo else []
    done = subprocess.run([*prefix, *command], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", ["(3, 9)", "(3, 14)"])
def test_a_python_without_wheels_is_refused_in_one_line(artifact: Path, version: str) -> None:
    with device(FIRST) as nucleus:
        python = nucleus.root / "python" / "python3"
        python.unlink()
        python.write_text(
            f"#!{INTERPRETERS[FIRST]}\nimport sys\nsys.version_info = {version}\nexec(sys.argv[2])\n"
        )
        python.chmod(0o755)
        nucleus.deploy(artifact, "0.1.7")
        done = nucleus.run("Install")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "Python 3.10 to 3.13 is needed, not 3." in done.stderr
        assert not (nucleus.work / "venv").exists()


@shared
def test_the_pythons_that_are_accepted_are_those_with_wheels(nucleus: Nucleus) -> None:
    low, high = (tuple(map(int, version.split("."))) for version in (PYTHONS[0], PYTHONS[-1]))
    script = nucleus.lifecycle()["Install"]["Script"]
    assert f"{low} <= v <= {high}" in script
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]} is needed" in script


@shared
def test_shutting_down_what_never_started_is_no_error(nucleus: Nucleus) -> None:
    assert nucleus.run("Recover").returncode == 0
    assert nucleus.run("Shutdown").returncode == 0
