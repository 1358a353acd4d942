"""Installing a device: the script really runs, against IoT's stand-in, without changing this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk.device import NUCLEUS_VERSION, install_script
from cdk.install_edge import UnknownEdgeError, main, script_for
from dicom_ingest.contracts.config import parse_config
from tests.infrastructure.conftest import BORROWED
from tests.support.programs import require

REPLACED = {
    "apt-get": "",
    "getent": "",
    "id": "",
    "curl": 'while [ $# -gt 0 ]; do [ "$1" = -o ] && echo downloaded >"$2"; shift; done',
    "unzip": "",
    "systemctl": 'test -f "$GREENGRASS_ROOT/running"',
    "java": 'printf "%s\\n" "$*" >>"$GREENGRASS_ROOT/java.log"; touch "$GREENGRASS_ROOT/running"',
}
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


def _install(tmp_path: Path, root: Path) -> subprocess.CompletedProcess[str]:
    require("bash", "grep", "openssl", "sed")
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for name, body in REPLACED.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    python = programs / "python3"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GREENGRASS_ROOT": str(root),
    }
    script = install_script(STACK, THING, "eu-west-1")
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


def test_the_printed_script_holds_no_credentials_and_the_help_borrows_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["edge1", "--region", "eu-west-1"]) == 0
    printed = capsys.readouterr()
    assert f"export THING={THING}" in printed.out
    assert "AWS_SECRET_ACCESS_KEY" not in printed.out
    assert f"role/{STACK}-GGInstallerRole" in printed.err
    assert "ssh DEVICE sudo bash -s" in printed.err


def test_only_a_local_edge_of_the_configuration_can_be_installed_by_hand() -> None:
    config = parse_config({"edge_config": [{"name": "here"}, {"name": "there", "device_type": "EC2"}]})
    for name in ("there", "nowhere"):
        with pytest.raises(UnknownEdgeError, match=r"LOCAL edges of config\.yaml: here"):
            script_for(config, name, "eu-west-1")
