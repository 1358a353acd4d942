"""Taking down, and the doctors: their scripts really run; what differs between machines is replaced."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cdk import device
from cdk.cleanup import cleanup_script, removal_script
from cdk.device.hosts import Names, firewall_list, hosts
from cdk.doctor import account_script, device_script
from cdk.workstation.account import names_in_aws
from dicom_ingest.contracts.configuration.config import HEALTHIMAGING_REGIONS, Config, parse_config
from edge_component.sending.clients import make_clients
from edge_component.sending.direct_put.template import learn
from edge_component.settings import Settings
from tests.infrastructure.conftest import BORROWED
from tests.support.machine.programs import require

AWS = '''
"""The AWS command line, as far as the scripts use it: `aws SERVICE OPERATION --option value`, text output."""
import sys, boto3, jmespath
service, operation, *rest = sys.argv[1:]
options = {}
while rest:
    name = rest.pop(0)[2:]
    value = rest.pop(0) if rest and not rest[0].startswith("--") else True
    options[name] = value
query, _ = options.pop("query", None), options.pop("output", None)
client = boto3.client(service, region_name=options.pop("region", None))
method = operation.replace("-", "_").replace("get_core_device", "missing")
names = {}
for option, value in options.items():
    first, *others = option.split("-")
    names[first + "".join(word.capitalize() for word in others)] = value
answer = getattr(client, method)(**names)
found = jmespath.search(query, answer) if query else None
print("\\t".join(map(str, found)) if isinstance(found, list) else "" if found is None else found)
'''
REPLACED = {
    "timedatectl": "echo ${SYNCHRONISED:-yes}",
    "curl": 'case "$*" in *${UNREACHABLE:-nothing}*) exit ${CODE:-7} ;; esac; echo "$https_proxy" >>"$0.log"',
    "apt-get": "echo http://mirror.hospital.example/ubuntu; echo file:/cdrom",
    "findmnt": "echo /dev/mapper/spool",
    "lsblk": "echo ${DISK:-crypt}",
    "systemctl": "exit 3",
}
KNOWN = Names(data="a1-ats", credentials="c1", bucket="dicom", software="assets")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs that come before the machine's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "aws.py").write_text(AWS)
    python = f'exec "{sys.executable}"'
    bodies = REPLACED | {"aws": f'{python} "{tmp_path / "aws.py"}" "$@"', "python3": f'{python} "$@"'}
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def iot(aws_iot: Any) -> Any:
    """AWS IoT with two registered edges."""
    for thing in ("dicom-ingest-edge1", "dicom-ingest-edge10"):
        aws_iot.create_thing(thingName=thing)
        aws_iot.create_policy(policyName=f"{thing}-GG-Policy", policyDocument="{}")
        arn = aws_iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
        aws_iot.attach_policy(policyName=f"{thing}-GG-Policy", target=arn)
        aws_iot.attach_thing_principal(thingName=thing, principal=arn)
    return aws_iot


def _run(script: str, programs: Path, **more: str) -> subprocess.CompletedProcess[str]:
    require("awk", "bash", "df", "grep")
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"} | more
    return subprocess.run(
        ["bash", "-s"], input=script, env=environment, capture_output=True, text=True, check=False
    )


def test_an_edge_that_leaves_takes_its_certificate_with_it_and_no_other(iot: Any, programs: Path) -> None:
    done = _run(removal_script(parse_config({}), "edge1"), programs)
    assert done.returncode == 0, done.stderr
    assert iot.list_thing_principals(thingName="dicom-ingest-edge1")["principals"] == []
    assert len(iot.list_thing_principals(thingName="dicom-ingest-edge10")["principals"]) == 1
    assert len(iot.list_certificates()["certificates"]) == 1
    # What CloudFormation does next, and could not do before:
    iot.delete_policy(policyName="dicom-ingest-edge1-GG-Policy")
    iot.delete_thing(thingName="dicom-ingest-edge1")


def test_c18_production_is_taken_down_by_lifting_its_protections_and_says_what_stays() -> None:
    script = cleanup_script(parse_config({"edge_config": [{"name": "cloud", "device_type": "EC2"}]}))
    steps = [
        "remove_edge dicom-ingest-cloud",
        "--no-enable-termination-protection",
        "--no-deletion-protection",
    ]
    steps += ["--no-disable-api-termination", "cdk.cli destroy --force dicom-ingest", "# Kept"]
    places = [script.index(step) for step in steps]
    assert places == sorted(places)


def test_c18_development_empties_its_data_store_before_it_goes() -> None:
    script = cleanup_script(parse_config({"environment": "dev"}))
    assert script.index("delete-image-set") < script.index("cdk.cli destroy")
    assert "protection" not in script
    assert "# Kept" not in script
    off = cleanup_script(parse_config({"environment": "dev", "ahli_config": {"ahli_enabled": False}}))
    assert "medical-imaging" not in off


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_cleanup_is_a_script_that_bash_understands(environment: str) -> None:
    require("bash")
    script = cleanup_script(parse_config({"environment": environment}))
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.fixture
def config() -> Config:
    """The untouched configuration."""
    return parse_config({})


def test_a_fit_device_is_told_so(programs: Path, tmp_path: Path) -> None:
    script = device_script("eu-west-1", KNOWN)
    done = _run(script, programs, ROOT=str(tmp_path), PORTS="0", MINIMUM_GIB="0")
    assert done.stdout.splitlines()[-1].startswith("READY"), done.stdout + done.stderr
    assert done.returncode == 0
    for host in hosts("eu-west-1", KNOWN):
        assert f"ok    reach          {host.name}:443" in done.stdout or host.port == 80
    assert "archive.ubuntu.com" not in done.stdout  # the mirrors are those that apt is set to
    assert "ok    reach          mirror.hospital.example" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"SYNCHRONISED": "no"}, "FAIL  time"),
        ({"UNREACHABLE": "events"}, "FAIL  reach          events.eu-west-1.amazonaws.com:443: no connection"),
        (
            {"UNREACHABLE": "a1-ats", "CODE": "60"},
            "a1-ats.iot.eu-west-1.amazonaws.com:443: another certificate",
        ),
        ({"MINIMUM_GIB": "99999999"}, "FAIL  disk"),
        ({"DISK": "disk"}, "warn  encryption"),
    ],
)
def test_what_is_wrong_with_a_device_is_named(
    wrong: dict[str, str], line: str, programs: Path, tmp_path: Path
) -> None:
    settings = {"ROOT": str(tmp_path), "PORTS": "0", "MINIMUM_GIB": "0"} | wrong
    done = _run(device_script("eu-west-1", KNOWN), programs, **settings)
    assert line in done.stdout
    assert (done.returncode == 1) is not line.startswith("warn")


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ("ok a b", "READY"),
        ("warn a b", "READY (1 to look at)"),
        ("warn a b; fail c d", "NOT READY: 1 to fix, 1 to look at"),
    ],
)
def test_the_verdict_names_only_what_there_is_to_do(programs: Path, checks: str, verdict: str) -> None:
    done = _run(f"{device.script('checks')}\n{checks}\nverdict", programs)
    assert done.stdout.splitlines()[-1] == verdict
    assert done.returncode == (1 if verdict.startswith("NOT") else 0)


@pytest.mark.parametrize("wheels", ["3.8 3.9", "3.30 3.31"])
def test_a_python_that_has_no_wheels_is_found(programs: Path, tmp_path: Path, wheels: str) -> None:
    script = device_script("eu-west-1", KNOWN).replace("'3.10 3.13'", f"'{wheels}'")
    done = _run(script, programs, ROOT=str(tmp_path), PORTS="0", MINIMUM_GIB="0")
    assert f"{wheels.replace(' ', ' to ')} is needed" in done.stdout
    assert done.returncode == 1


def test_a_device_behind_a_proxy_is_looked_at_through_it(programs: Path, tmp_path: Path) -> None:
    script = device_script("eu-west-1", KNOWN, proxy="http://proxy:3128")
    _run(script, programs, ROOT=str(tmp_path), PORTS="0", MINIMUM_GIB="0")
    assert set((programs / "curl.log").read_text().split()) == {"http://proxy:3128"}


def test_a_host_whose_name_is_not_known_is_not_said_to_be_reached(programs: Path, tmp_path: Path) -> None:
    done = _run(device_script("eu-west-1", Names()), programs, ROOT=str(tmp_path), PORTS="0", MINIMUM_GIB="0")
    assert "warn  reach          *-ats.iot.eu-west-1.amazonaws.com:443: not tried" in done.stdout


@pytest.mark.usefixtures("aws_iot")
def test_the_accounts_own_hosts_are_asked_of_aws(
    programs: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    names = names_in_aws(config, "eu-west-1")
    assert names.data.endswith("-ats")
    assert names.credentials != "*"
    assert names.software == "cdk-hnb659fds-assets-123456789012-eu-west-1"
    assert names.bucket == "*"  # there is no stack yet
    monkeypatch.setenv("PATH", "/nowhere")
    assert names_in_aws(config, "eu-west-1") == Names()


def test_the_firewall_list_has_one_port_for_aws_and_no_host_twice() -> None:
    lines = firewall_list("eu-west-2").splitlines()
    assert {line.split()[1] for line in lines if "amazonaws" in line or "cloudfront" in line} == {"443"}
    assert len({line.split()[0] for line in lines}) == len(lines)
    for unused in ("sts.", "logs.", "amazontrust", " 8443", " 8883"):
        assert unused not in "\n".join(lines)


@pytest.mark.parametrize("region", HEALTHIMAGING_REGIONS)
def test_the_hosts_of_the_list_are_those_that_the_edges_clients_call(
    region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In us-east-1, too, where S3 has another name by default."""
    for name, value in {
        **BORROWED,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    settings = Settings(stack="s", name="e", bucket="dicom", event_bus="b", spool=tmp_path)
    clients = make_clients(settings)
    put = learn(clients.s3, {"Bucket": settings.bucket})
    assert put is not None
    called = [f"{put.origin}:443/", f"{clients.events.meta.endpoint_url}:443/"]
    assert called == [host.url for host in hosts(region, KNOWN)[:2]]


def test_a_taken_port_is_found(programs: Path, tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {"ROOT": str(tmp_path), "PORTS": port, "MINIMUM_GIB": "0"}
        done = _run(device_script("eu-west-1", KNOWN), programs, **settings)
    assert f"FAIL  port {port}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("NOT READY")


def test_an_account_without_credentials_is_not_ready(programs: Path, config: Config) -> None:
    (programs / "aws").write_text("#!/bin/sh\nexit 253\n")
    done = _run(account_script(config, "eu-west-1"), programs)
    assert done.returncode == 1
    assert "FAIL  credentials" in done.stdout


@pytest.mark.parametrize(("quota", "verdict"), [("20.0", "FAIL  imports"), ("100.0", "ok    imports")])
def test_the_quota_of_imports_is_compared_with_the_configuration(
    quota: str, verdict: str, programs: Path, config: Config
) -> None:
    answers = f'case "$1" in service-quotas) echo {quota} ;; lambda) echo 1000 ;; *) echo 21 ;; esac'
    (programs / "aws").write_text(f"#!/bin/sh\n{answers}\n")
    done = _run(account_script(config, "eu-west-1"), programs)
    assert verdict in done.stdout
    assert done.returncode == (1 if verdict.startswith("FAIL") else 0)
