"""An edge without Greengrass: the file installs, upgrades and removes a service, in a temporary root."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from cdk.device.service import RolesAnywhere
from cdk.install_edge import main
from cdk.packaging.build import Builder
from tests.infrastructure.conftest import BORROWED
from tests.infrastructure.template import Template
from tests.support.edge.aws import EdgeCloud, edge_cloud
from tests.support.edge.dicom import send, series_of
from tests.support.machine.programs import require
from tests.support.machine.waiting import wait_until

UNIT = "etc/systemd/system/dicom-edge.service"
REPLACED = ("getent", "id", "useradd", "groupadd", "chgrp", "apt-get", "systemctl", "sync")
OWN = """EDGE_EVENT_BUS=ingest
EDGE_DICOM_PORT=0
EDGE_HEALTH_PORT=0
EDGE_BIND=127.0.0.1
EDGE_DRAIN_SECONDS=1
EDGE_SERIES_QUIET_SECONDS=0.3
EDGE_BACKOFF_BASE_SECONDS=0.05
EDGE_BACKOFF_CAP_SECONDS=0.3
EDGE_DISK_RESERVE_BYTES=0
EDGE_WATERMARK_WARN_PERCENT=100
EDGE_WATERMARK_SLOW_PERCENT=100
EDGE_WATERMARK_REFUSE_PERCENT=100
"""
pytestmark = pytest.mark.xdist_group("service")


@dataclass
class Host:
    """A machine whose files are below `root`, and whose systemd is this class."""

    root: Path
    programs: Path
    endpoint: str

    def install(self, file: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the file as root would."""
        (self.root / "edge.sh").write_bytes(file)
        environment = {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "PREFIX": str(self.root)}
        environment["PIP_NO_COMPILE"] = "1"
        command = ["bash", str(self.root / "edge.sh"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def here(self, text: str) -> str:
        """Paths of the unit, below the root."""
        return re.sub(r"(?<![\w.])/(opt|etc|var/lib|run)/dicom-edge", rf"{self.root}/\1/dicom-edge", text)

    def said(self, name: str) -> list[str]:
        """Values of a directive of the unit."""
        lines = (self.root / UNIT).read_text().splitlines()
        return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The service as systemd starts it: with the unit's environment and no other."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
        lines = [self.here(line) for line in self.said("Environment")]
        for name in self.said("EnvironmentFile"):
            lines += Path(self.here(name.removeprefix("-"))).read_text().splitlines()
        environment |= dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        environment["AWS_ENDPOINT_URL"] = self.endpoint
        shutil.rmtree(self.root / "run", ignore_errors=True)
        (self.root / "run" / "dicom-edge").mkdir(parents=True)
        (self.root / "var" / "lib" / "dicom-edge").mkdir(parents=True, exist_ok=True)
        with (self.root / "journal").open("ab") as log:
            command = shlex.split(self.here(self.said("ExecStart")[0]))
            process = subprocess.Popen(command, cwd="/", env=environment, stdout=log, stderr=log)
        try:
            ready = self.root / "run" / "dicom-edge" / "ready.json"
            wait_until(lambda: ready.exists() or process.poll() is not None, "the service is ready")
            assert process.poll() is None, (self.root / "journal").read_text()
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()

    def ready(self) -> dict[str, int]:
        """Its ports."""
        found: dict[str, int] = json.loads((self.root / "run" / "dicom-edge" / "ready.json").read_text())
        return found

    def status(self) -> dict[str, Any]:
        """Its numbers."""
        url = f"http://127.0.0.1:{self.ready()['health_port']}/status"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found


class Prepared(Builder):
    """Packaged already."""

    folder: Path

    @cached_property
    def edge_artifact(self) -> str:
        return str(self.folder)


def prepared(folder: Path) -> Builder:
    builder = Prepared()
    object.__setattr__(builder, "folder", folder)
    return builder


@pytest.fixture(scope="module")
def cloud() -> Iterator[EdgeCloud]:
    """S3 and the bus."""
    with edge_cloud() as found:
        yield found


@pytest.fixture
def light(tmp_path: Path) -> Path:
    """An artifact of which nothing is installed but an environment."""
    (tmp_path / "light" / "wheels").mkdir(parents=True)
    (tmp_path / "light" / "wheels" / "requirements.txt").touch()
    return tmp_path / "light"


@pytest.fixture
def host(tmp_path: Path, cloud: EdgeCloud) -> Iterator[Host]:
    """A machine without an edge."""
    require("bash", "tar", "grep")
    programs = tmp_path / "bin"
    programs.mkdir()
    cloud.events()
    with TemporaryDirectory(prefix="host-") as folder:
        for name in REPLACED:
            (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{folder}/called"\n')
            (programs / name).chmod(0o755)
        yield Host(Path(folder), programs, cloud.endpoint)


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    """A program that prints credentials."""
    answer = {
        "Version": 1,
        "AccessKeyId": BORROWED["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": BORROWED["AWS_SECRET_ACCESS_KEY"],
    }
    program = tmp_path / "bin" / "helper"
    program.write_text(f"#!/bin/sh\ncat <<'JSON'\n{json.dumps(answer)}\nJSON\n")
    program.chmod(0o755)
    return program


def printed(
    capsysbinary: pytest.CaptureFixture[bytes], artifact: Path, *options: str, bucket: str = "dicom"
) -> bytes:
    arguments = ["edge1", "--region", "eu-west-1", "--without-greengrass", "--bucket", bucket, *options]
    assert main(arguments, prepared(artifact)) == 0
    return capsysbinary.readouterr().out


def test_it_installs_runs_upgrades_over_its_spool_and_goes_without_it(
    host: Host,
    helper: Path,
    edge_artifact: Path,
    cloud: EdgeCloud,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    first = printed(capsysbinary, edge_artifact)
    done = host.install(first)
    assert done.returncode == 0, done.stderr
    assert "no credentials yet" in done.stdout
    etc = host.root / "etc" / "dicom-edge"
    (etc / "edge.env").write_text(OWN)
    with host.running():
        assert host.status()["edge"] == "dicom-ingest-edge1"
        images = series_of(2)
        assert send(host.ready()["dicom_port"], images) == [0, 0]
        wait_until(lambda: host.status()["series_sealed"] >= 1, "the series is sealed")

    # The newer release finds its packages where the tests have theirs: they were installed once already.
    newer = host.root / "newer"
    shutil.copytree(edge_artifact, newer, ignore=shutil.ignore_patterns("wheels"))
    (newer / "wheels").mkdir()
    (newer / "wheels" / "requirements.txt").touch()
    (newer / "edge_component" / "newer.py").touch()
    own = f"{OWN}PYTHONPATH={sysconfig.get_path('purelib')}\n"
    (etc / "edge.env").write_text(own)
    done = host.install(printed(capsysbinary, newer, "--credential-process", str(helper)))
    assert done.returncode == 0, done.stderr
    assert (etc / "edge.env").read_text() == own
    assert len(list((host.root / "opt" / "dicom-edge" / "releases").iterdir())) == 2
    current = host.root / "opt" / "dicom-edge" / "current"
    assert (current / "edge_component" / "newer.py").exists()
    with host.running():
        wait_until(
            lambda: [e["detail"]["series_instance_uid"] for e in cloud.announcements()],
            "the series is announced",
        )
    called = (host.root / "called").read_text()
    assert "systemctl restart dicom-edge" in called
    assert "apt-get" not in called  # a closed network needs no package

    spool = host.root / "var" / "lib" / "dicom-edge" / "spool"
    assert host.install(first, "--remove").returncode == 0
    assert spool.is_dir()
    assert not any(path.exists() for path in (etc, current, host.root / UNIT))
    assert "systemctl disable --now --quiet dicom-edge" in (host.root / "called").read_text()


def test_the_same_file_again_changes_nothing_and_half_a_release_is_made_again(
    host: Host, light: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = printed(capsysbinary, light)
    assert file == printed(capsysbinary, light)
    assert host.install(file).returncode == 0
    (release,) = (host.root / "opt" / "dicom-edge" / "releases").iterdir()
    python = release / "venv" / "bin" / "python"
    python.unlink()
    assert host.install(file).returncode == 0
    assert not python.exists()
    (release / "installed").unlink()
    assert host.install(file).returncode == 0
    assert python.exists()


def test_what_the_service_reads_is_for_it_alone_and_its_settings_are_those_of_the_stack(
    host: Host, light: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    proxy = "http://edge:secret@proxy:3128"
    done = host.install(printed(capsysbinary, light, "--proxy", proxy, "--credential-process", "x --y 'z'"))
    assert done.returncode == 0, done.stderr
    etc = host.root / "etc" / "dicom-edge"
    assert etc.stat().st_mode & 0o007 == 0
    assert all(path.stat().st_mode & 0o137 == 0 for path in etc.iterdir())
    settings = yaml.safe_load((etc / "stack.yaml").read_text())
    assert (settings["stack"], settings["name"], settings["bucket"]) == ("dicom-ingest", "edge1", "dicom")
    assert settings["event_bus"] == "dicom-ingest-events"
    assert f"HTTPS_PROXY={proxy}" in (etc / "stack.env").read_text().splitlines()
    assert (etc / "aws.conf").read_text() == "[default]\ncredential_process = x --y 'z'\n"
    assert "secret" not in done.stdout + done.stderr


def test_systemd_understands_the_unit_and_finds_it_well_confined(
    host: Host, light: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    require("systemd-analyze")
    assert host.install(printed(capsysbinary, light)).returncode == 0
    unit = host.root / "dicom-edge.service"
    unit.write_text(host.here((host.root / UNIT).read_text()))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)]
    confined = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in confined.stderr:
        pytest.skip("this systemd cannot judge a file")
    assert confined.returncode == 0, confined.stdout


def test_without_the_buckets_name_it_says_where_to_find_it(
    light: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["edge1", "--region", "eu-west-1", "--without-greengrass"], prepared(light)) == 1
    said = capsys.readouterr()
    assert (said.out, "--bucket NAME, the stack's output DicomBucket" in said.err) == ("", True)


def test_an_edge_with_a_trust_anchor_signs_in_with_its_certificate(
    template: Any,
    host: Host,
    light: Path,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its role trusts the anchor for a certificate that bears its name; the file names role and anchor."""
    stack: Template = template("edges")
    role = next(
        r["Properties"]
        for r in stack.resources("AWS::IAM::Role").values()
        if "rolesanywhere" in json.dumps(r["Properties"]["AssumeRolePolicyDocument"])
    )
    (statement,) = [
        s
        for s in role["AssumeRolePolicyDocument"]["Statement"]
        if s["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    ]
    (profile,) = stack.resources("AWS::RolesAnywhere::Profile").values()
    anchor = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    thing = statement["Condition"]["StringEquals"]["aws:PrincipalTag/x509Subject/CN"]
    assert role["RoleName"] == f"{thing}-GG-Role"
    assert profile["Properties"]["Name"] == thing
    assert set(statement["Action"]) == {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}

    config = tmp_path / "config.yaml"
    config.write_text(f"edge_config: [{{name: edge1, trust_anchor: '{anchor}'}}]\n")
    profile_arn = "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/1"
    answers = f'case "$1" in sts) echo 123456789012 ;; rolesanywhere) echo {profile_arn} ;; *) exit 1 ;; esac'
    (host.programs / "aws").write_text(f"#!/bin/sh\n{answers}\n")
    (host.programs / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", str(host.programs), prepend=os.pathsep)
    assert host.install(printed(capsysbinary, light, "--config", str(config))).returncode == 0
    wanted = RolesAnywhere(anchor, profile_arn, "arn:aws:iam::123456789012:role/dicom-ingest-edge1-GG-Role")
    assert wanted.command in (host.root / "etc" / "dicom-edge" / "aws.conf").read_text()
