"""Installing a device: the script really runs, against IoT's stand-in, without changing this machine."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk.device import NUCLEUS_SHA256, NUCLEUS_VERSION, install_script
from cdk.install_edge import EdgeError, main, script_for
from dicom_ingest.contracts.configuration.config import parse_config
from tests.infrastructure.conftest import BORROWED, ROOT
from tests.support.machine.programs import require
from tests.support.machine.terminal import Terminal

APT = """echo "$*" >>"$GREENGRASS_ROOT.apt"
case "$*" in *update*) [ "$(wc -l <"$GREENGRASS_ROOT.apt")" -gt "${LOCKED:-0}" ] ;; esac"""
CURL = """echo "$https_proxy" >"$GREENGRASS_ROOT.proxy"
while [ $# -gt 0 ]; do [ "$1" = -o ] && echo downloaded >"$2"; shift; done; true"""
REPLACED = {
    "apt-get": APT,
    "cloud-init": "",
    "getent": "",
    "id": "",
    "curl": CURL,
    "unzip": "",
    "systemctl": 'test -f "$GREENGRASS_ROOT/running"',
    "java": 'printf "%s\\n" "$*" >>"$GREENGRASS_ROOT/java.log"; touch "$GREENGRASS_ROOT/running"',
}
DOWNLOADED = hashlib.sha256(b"downloaded\n").hexdigest()
AMAZON_ROOT = Path("/usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt")
STACK, THING = "dicom-ingest", "dicom-ingest-edge1"


@pytest.fixture
def iot(aws_iot: Any) -> Any:
    """AWS IoT with what the stack makes for the edge: thing, group and policy."""
    aws_iot.create_thing(thingName=THING)
    aws_iot.create_thing_group(thingGroupName=f"{STACK}-IEP-devices")
    aws_iot.create_policy(policyName=f"{THING}-GG-Policy", policyDocument="{}")
    return aws_iot


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where Greengrass goes instead of /greengrass/v2."""
    return tmp_path / "greengrass" / "v2"


def _programs(tmp_path: Path, root: Path) -> dict[str, str]:
    """The environment of a device whose programs change nothing."""
    require("bash", "grep", "openssl", "sed")
    if not AMAZON_ROOT.exists():
        pytest.skip("no Amazon root certificate: ca-certificates is not installed")
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    root.parent.mkdir(exist_ok=True)
    bodies = {name: f"#!/bin/sh\n{body}\n" for name, body in REPLACED.items()}
    bodies["python3"] = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    for name, body in bodies.items():
        (programs / name).write_text(body)
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return dict(os.environ) | {"PATH": path, "GREENGRASS_ROOT": str(root), "PAUSE": "0"}


def _install(
    tmp_path: Path, root: Path, *, proxy: str | None = None, sha256: str = DOWNLOADED, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = _programs(tmp_path, root) | variables
    script = install_script(STACK, THING, "eu-west-1", proxy=proxy).replace(NUCLEUS_SHA256, sha256)
    return subprocess.run(
        ["bash", "-s"], input=script, env=environment, capture_output=True, text=True, check=False
    )


def test_a_device_is_registered_as_its_thing_with_its_own_policy(
    iot: Any, tmp_path: Path, root: Path
) -> None:
    done = _install(tmp_path, root)
    assert done.returncode == 0, done.stderr
    (principal,) = iot.list_thing_principals(thingName=THING)["principals"]
    policies = iot.list_attached_policies(target=principal)["policies"]
    assert [policy["policyName"] for policy in policies] == [f"{THING}-GG-Policy"]
    assert iot.list_things_in_thing_group(thingGroupName=f"{STACK}-IEP-devices")["things"] == [THING]


@pytest.mark.usefixtures("iot")
def test_greengrass_is_started_with_the_devices_own_key_and_role_alias(tmp_path: Path, root: Path) -> None:
    assert _install(tmp_path, root).returncode == 0
    settings = yaml.safe_load((root / "install.yaml").read_text())
    assert settings["system"]["thingName"] == THING
    nucleus = settings["services"]["aws.greengrass.Nucleus"]
    assert nucleus["version"] == NUCLEUS_VERSION
    assert nucleus["configuration"]["iotRoleAlias"] == f"{THING}-GG-Role-Alias"
    assert re.fullmatch(
        r"\w+-ats\.iot\.eu-west-1\.amazonaws\.com", nucleus["configuration"]["iotDataEndpoint"]
    )
    key = Path(settings["system"]["privateKeyPath"])
    assert "PRIVATE KEY" in key.read_text()
    assert key.stat().st_mode & 0o077 == 0
    started = (root / "java.log").read_text()
    assert "--setup-system-service true" in started
    assert "--component-default-user ggc_user:ggc_group" in started
    assert "deploy-dev-tools" not in started


@pytest.mark.usefixtures("iot")
def test_c19_no_credential_touches_a_file(tmp_path: Path, root: Path) -> None:
    done = _install(tmp_path, root)
    assert done.returncode == 0, done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > len(REPLACED)
    for secret in BORROWED.values():
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
        assert secret not in done.stdout + done.stderr


def test_a_second_run_changes_nothing(iot: Any, tmp_path: Path, root: Path) -> None:
    assert _install(tmp_path, root).returncode == 0
    again = _install(tmp_path, root)
    assert again.returncode == 0
    assert "already installed" in again.stdout
    assert len(iot.list_certificates()["certificates"]) == 1


def test_an_installation_that_broke_off_goes_on_with_the_same_certificate(
    iot: Any, tmp_path: Path, root: Path
) -> None:
    assert _install(tmp_path, root).returncode == 0
    (root / "running").unlink()
    (root / "install.yaml").unlink()
    assert _install(tmp_path, root).returncode == 0
    assert (root / "install.yaml").exists()
    assert len(iot.list_certificates()["certificates"]) == 1


@pytest.mark.usefixtures("iot")
def test_everything_that_greengrass_opens_is_port_443(tmp_path: Path, root: Path) -> None:
    assert _install(tmp_path, root).returncode == 0
    nucleus = yaml.safe_load((root / "install.yaml").read_text())["services"]["aws.greengrass.Nucleus"]
    configuration = nucleus["configuration"]
    assert (configuration["greengrassDataPlanePort"], configuration["mqtt"]["port"]) == (443, 443)
    assert configuration["s3EndpointType"] == "REGIONAL"
    assert "networkProxy" not in configuration
    assert (root / "AmazonRootCA1.pem").read_bytes() == AMAZON_ROOT.read_bytes()


@pytest.mark.usefixtures("iot")
def test_behind_a_proxy_packages_downloads_and_greengrass_use_it(tmp_path: Path, root: Path) -> None:
    proxy = "http://edge:p%40ss@proxy.hospital.example:3128"
    done = _install(tmp_path, root, proxy=proxy)
    assert done.returncode == 0, done.stderr
    nucleus = yaml.safe_load((root / "install.yaml").read_text())["services"]["aws.greengrass.Nucleus"]
    assert nucleus["configuration"]["networkProxy"]["proxy"]["url"] == proxy
    apt = Path(f"{root}.apt").read_text().splitlines()
    assert len(apt) == 2
    assert all(f"Acquire::https::Proxy={proxy}" in line for line in apt)
    assert Path(f"{root}.proxy").read_text().strip() == proxy
    assert (root / "install.yaml").stat().st_mode & 0o077 == 0
    assert "p%40ss" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "proxy", ["proxy:3128", "http://proxy", 'http://a"b:1', "http://proxy:3128 -x", "ftp://p:1"]
)
def test_a_proxy_that_is_none_is_one_error(proxy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edge1", "--region", "eu-west-1", "--proxy", proxy]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "--proxy must be http://[user:password@]host:port" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.usefixtures("iot")
def test_while_another_program_holds_apts_lock_it_waits(tmp_path: Path, root: Path) -> None:
    done = _install(tmp_path, root, LOCKED="3")
    assert done.returncode == 0, done.stderr
    done = _install(tmp_path, root.with_name("v3"), LOCKED="99", TRIES="4")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("edge: gave up: apt-get")


@pytest.mark.usefixtures("iot")
def test_a_nucleus_that_was_altered_is_not_started(tmp_path: Path, root: Path) -> None:
    done = _install(tmp_path, root, sha256=NUCLEUS_SHA256)
    assert done.returncode == 1
    assert f"not Greengrass {NUCLEUS_VERSION}" in done.stderr
    assert not (root / "java.log").exists()


def test_a_registration_that_broke_off_is_continued_with_its_certificate(
    aws_iot: Any, tmp_path: Path, root: Path
) -> None:
    aws_iot.create_thing(thingName=THING)
    done = _install(tmp_path, root)  # the policy is not there yet
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    aws_iot.create_thing_group(thingGroupName=f"{STACK}-IEP-devices")
    aws_iot.create_policy(policyName=f"{THING}-GG-Policy", policyDocument="{}")
    assert _install(tmp_path, root).returncode == 0
    (certificate,) = aws_iot.list_certificates()["certificates"]
    assert aws_iot.list_thing_principals(thingName=THING)["principals"] == [certificate["certificateArn"]]


def test_only_a_local_edge_of_the_configuration_can_be_installed_by_hand() -> None:
    config = parse_config({"edge_config": [{"name": "here"}, {"name": "there", "device_type": "EC2"}]})
    for name in ("there", "nowhere"):
        with pytest.raises(EdgeError, match=r"LOCAL edges of config\.yaml: here"):
            script_for(config, name, "eu-west-1")


SUDO = """printf 'password for admin: ' >/dev/tty
IFS= read -r password </dev/tty
[ "$password" = open ] || exit 1
exec env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN "$@" """
SSH = """[ "$1" = -t ] && shift; shift; cd "$HOME/device" && exec sh -c "$*" """
SCP = """cp "$1" "$HOME/device/" """
AWS = """role=arn:aws:iam::123456789012:role/dicom-ingest-GGInstallerRole
case "$1 $2" in
  "sts get-caller-identity") echo 123456789012 ;;
  "sts assume-role") [ "$4" = "$role" ] && cat "$HOME/borrowed" ;;
esac"""


@pytest.fixture
def desk(tmp_path: Path, root: Path) -> dict[str, str]:
    """An operator's folder with the repository in it, and a device that `ssh` reaches."""
    environment = _programs(tmp_path, root)
    for name in (".venv", "cdk", "dicom_ingest", "config.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "device").mkdir()
    for name, body in {"sudo": SUDO, "ssh": SSH, "scp": SCP, "aws": AWS}.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    sums = f'while read -r _ file; do echo "{DOWNLOADED}  $file"; done | {shutil.which("sha256sum")} "$@"'
    (tmp_path / "bin" / "sha256sum").write_text(f"#!/bin/sh\n{sums}\n")
    (tmp_path / "bin" / "sha256sum").chmod(0o755)
    for name in BORROWED:
        environment.pop(name, None)
    return environment | {"HOME": str(tmp_path)}


def _printed_steps(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["edge1", "--region", "eu-west-1"]) == 0
    printed = capsys.readouterr()
    assert f"export THING={THING}" in printed.out
    assert "AWS_SECRET_ACCESS_KEY=" not in printed.out
    return printed.err


def test_the_printed_steps_install_a_device_whose_sudo_asks_for_a_password(
    iot: Any, desk: dict[str, str], tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, secret, token = BORROWED.values()
    token += "/" * 5000  # no terminal's line is that long
    (tmp_path / "borrowed").write_text(f"{key}\t{secret}\t{token}\n")
    (tmp_path / "steps").write_text(_printed_steps(capsys))
    terminal = Terminal(["bash", "-e", "steps"], tmp_path, desk)
    try:
        terminal.answer("password for admin: ", "open\n")
        terminal.answer("it is not shown): ", f"{key}\t{secret}\t{token}\n")
        assert terminal.wait() == 0, terminal.seen
    finally:
        terminal.close()
    assert terminal.seen.count(secret) == 1  # by AWS's own command line, not by the script
    assert iot.list_thing_principals(thingName=THING)["principals"]
    assert (root / "running").exists()


PAGE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
DOCTORS = re.findall(r"^(\.venv/bin/python -m cdk\.doctor .+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", DOCTORS)
def test_the_pages_doctors_run_as_they_are_printed(line: str, desk: dict[str, str], tmp_path: Path) -> None:
    """From the operator's folder, through a device's shell; the verdict comes, whatever it is."""
    command = ["bash", "-o", "pipefail", "-c", line]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=desk | {"ROOT": "/"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "READY" in done.stdout.splitlines()[-1], done.stdout + done.stderr
    assert "command not found" not in done.stderr


def test_without_a_person_the_credentials_go_along_as_the_page_says(
    iot: Any, desk: dict[str, str], tmp_path: Path
) -> None:
    (line,) = re.findall(r"`(\{ export -p .+?)`", PAGE)
    script = install_script(STACK, THING, "eu-west-1")
    (tmp_path / "dicom-ingest-edge1.sh").write_text(script)
    (tmp_path / "bin" / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    environment = desk | BORROWED
    (tmp_path / "bin" / "ssh").write_text(
        f'#!/bin/sh\nshift; cd "$HOME/device"; exec env {" ".join(f"-u {name}" for name in BORROWED)} "$@"\n'
    )
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert iot.list_thing_principals(thingName=THING)["principals"]


def test_half_a_line_of_credentials_is_refused_before_anything_is_done(
    desk: dict[str, str], tmp_path: Path, root: Path
) -> None:
    (tmp_path / "install.sh").write_text(install_script(STACK, THING, "eu-west-1"))
    terminal = Terminal(["bash", "install.sh"], tmp_path, desk)
    try:
        terminal.answer("it is not shown): ", "ASIAONLY secret\n")
        assert terminal.wait() == 1
    finally:
        terminal.close()
    assert "three words are expected" in terminal.seen
    assert not Path(f"{root}.apt").exists()
