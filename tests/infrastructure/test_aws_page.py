"""docs/aws.md: what it says is printed is what is printed, and what it names exists."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import jmespath
import pytest

from cdk import install_edge
from cdk.device.hosts import firewall_list
from cdk.doctor import account_script
from cdk.limits import BOOTSTRAP_VERSION
from dicom_ingest.contracts.configuration.config import HEALTHIMAGING_REGIONS, ConfigError, parse_config
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
from tests.support.machine.programs import require

PAGE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
PRINTED = dict(re.findall(r"<!-- printed: ([^>]+?) -->\n```\n(.*?)```", PAGE, flags=re.DOTALL))
READY = {
    # the start of a command line of `aws` -> what it does
    "sts ": "echo 123456789012",
    "cloudformation describe-stacks --stack-name CDKToolkit ": "echo 21",
    "cloudformation ": "exit 254",
    "lambda ": "echo 1000",
    "service-quotas list-service-quotas --service-code states ": "echo 5000.0",
    "service-quotas list-service-quotas --service-code medical-imaging --query Quotas[?contains(QuotaName, "
    "'StartDICOMImportJob')": "echo 1.0",
    "service-quotas ": "echo 100.0",
    "medical-imaging ": "echo",
    "ec2 describe-availability-zones ": "printf 'us-east-1c\\tus-east-1a\\tus-east-1b\\n'",
    "ec2 describe-vpc-endpoint-services --service-names com.amazonaws.us-east-1.medical-imaging ": (
        "printf 'us-east-1b\\tus-east-1d\\n'"
    ),
    "ec2 describe-vpc-endpoint-services ": "printf 'us-east-1a\\tus-east-1b\\tus-east-1c\\n'",
    "ec2 describe-vpcs ": "echo 1",
}
NEW = {
    **READY,
    "cloudformation describe-stacks --stack-name CDKToolkit ": "exit 254",
    "lambda ": "echo 10",
    "service-quotas list-service-quotas --service-code states ": "echo None",
    "service-quotas list-service-quotas --service-code medical-imaging --query Quotas[?contains(QuotaName, "
    "'StartDICOMImportJob')": "echo 0.25",
    "service-quotas ": "echo 20.0",
    "medical-imaging ": "echo 4f2c1d0e8b7a4c6f9e1d2b3a4c5d6e7f",
    "ec2 describe-vpc-endpoint-services --service-names com.amazonaws.us-east-1.medical-imaging ": (
        "printf 'us-east-1d\\tus-east-1f\\n'"
    ),
}
FIRST_COLUMN = re.compile(r"^\| (?!symptom|---)(.+?) \|", re.MULTILINE)


def _doctor(answers: dict[str, str], folder: Path, **settings: Any) -> str:
    require("bash")
    cases = "\n".join(f"{shlex.quote(words)}*) {answer} ;;" for words, answer in answers.items())
    (folder / "aws").write_text(
        f'#!/bin/sh\ncase "$*" in\n{cases}\n*) echo "not stubbed: $*" >&2; exit 1 ;;\nesac\n'
    )
    (folder / "aws").chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    script = account_script(parse_config(settings), "us-east-1")
    done = subprocess.run(
        ["bash", "-s"], input=script, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def test_the_account_doctors_verdicts_are_the_real_ones(tmp_path: Path) -> None:
    assert PRINTED["doctor account, ready"] == _doctor(READY, tmp_path)
    assert PRINTED["doctor account, new"] == _doctor(NEW, tmp_path)


@pytest.mark.parametrize(
    ("settings", "answers", "line"),
    [
        (
            {},
            {"cloudformation describe-stacks --stack-name CDKToolkit ": "echo 5"},
            "FAIL  bootstrap      version 5, 6 is",
        ),
        ({}, {"medical-imaging ": "exit 254"}, "FAIL  healthimaging  no answer in us-east-1"),
        ({"ahli_config": {"start_rate": 4}}, {}, "FAIL  starts         1 a second allowed, start_rate is 4"),
        (
            {"lambda_reservations": True},
            {"lambda ": "echo 200"},
            "FAIL  lambda         200 concurrent executions",
        ),
        ({"lambda_reservations": True}, {}, "ok    lambda         1000 concurrent executions"),
        (
            {"availability_zones": ["us-east-1a", "us-east-1c"]},
            {},
            "FAIL  zones          medical-imaging has no endpoint in us-east-1a us-east-1c",
        ),
        (
            {"availability_zones": ["us-east-1a", "us-east-1d"]},
            {},
            "ok    zones          medical-imaging in us-east-1d",
        ),
        (
            {},
            {"ec2 describe-vpc-endpoint-services ": "exit 254"},
            "FAIL  zones          no endpoint for states",
        ),
        ({"ahli_config": {"start_rate": 100}}, {}, "ok    workflow       5000 state transitions"),
        (
            {"ahli_config": {"start_rate": 100}},
            {"service-quotas list-service-quotas --service-code states ": "echo 800.0"},
            "warn  workflow       800 state transitions a second allowed, 2000 needed",
        ),
        (
            {},
            {
                "medical-imaging ": "echo abc",
                "cloudformation describe-stacks --stack-name dicom-ingest ": "echo abc",
            },
            "ok    datastore      no other",
        ),
    ],
)
def test_the_account_doctor_sees_what_binds(
    settings: dict[str, Any], answers: dict[str, str], line: str, tmp_path: Path
) -> None:
    said = _doctor({**answers, **READY, **answers}, tmp_path, **settings)
    assert line in said


def test_without_imports_the_account_doctor_asks_nothing_of_healthimaging(tmp_path: Path) -> None:
    said = _doctor({**READY, "medical-imaging ": "exit 254"}, tmp_path, ahli_config={"ahli_enabled": False})
    assert said.endswith("READY\n")
    assert "imaging" not in said
    assert "starts" not in said


def test_what_the_account_doctor_asks_for_is_a_query_of_the_command_line() -> None:
    script = account_script(parse_config({}), "us-east-1").replace("\\\n", " ")
    queries = re.findall(r"--query (?:\"([^\"]+)\"|'([^']+)'|(\w[\w.]*))", script)
    assert len(queries) >= 8
    for query in ("".join(found) for found in queries):
        jmespath.compile(re.sub(r"\$\w+", "name", query))


def test_the_bootstrap_version_is_the_one_that_the_stack_asks_for(default: Template) -> None:
    artifacts = json.loads((default.folder / "manifest.json").read_text())["artifacts"].values()
    asked = {a["properties"].get("requiresBootstrapStackVersion") for a in artifacts if "properties" in a}
    assert asked - {None} == {BOOTSTRAP_VERSION}


def test_a_mistake_in_the_configuration_reads_as_printed() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config({"vpc_cidr": "10.31.0.0/8", "edge_config": [{"name": "edge1", "device_typ": "EC2"}]})
    assert PRINTED["mistake"] == f"{refused.value}\n"


def test_how_an_edge_is_installed_is_what_the_command_says() -> None:
    said, script = io.StringIO(), io.StringIO()
    with redirect_stderr(said), redirect_stdout(script):
        assert install_edge.main(["edge1", "--region", "us-east-1"]) == 0
    assert PRINTED["install_edge"] == said.getvalue()
    for line in re.findall(r"`(edge: .+?)`", PAGE.replace("\n", " "))[:2]:
        words = line.removeprefix("edge: ").split(" dicom-ingest")[0].rstrip()
        assert words in script.getvalue(), words


def test_the_firewall_list_is_the_real_one() -> None:
    assert PRINTED["firewall"] == firewall_list("us-east-1")


def test_the_outputs_are_those_of_the_stack(default: Template) -> None:
    wrapped = textwrap.fill("  ".join(sorted(default.outputs())), 118, break_long_words=False)
    assert PRINTED["outputs"].split() == wrapped.split()


def test_the_names_of_the_stack_are_right(default: Template) -> None:
    logical_ids = default.paths
    assert "IEPAuroraDB" in logical_ids
    functions = {
        f["Properties"]["FunctionName"]
        for f in default.resources("AWS::Lambda::Function").values()
        if "FunctionName" in f["Properties"]
    }
    for name in re.findall(r"/aws/lambda/([\w-]+)", PAGE):
        assert name in functions
    roles = {r["Properties"].get("RoleName") for r in default.resources("AWS::IAM::Role").values()}
    for name in set(re.findall(r"`(dicom-ingest-[\w-]+-Role)`", PAGE)):
        assert name in roles
    assert default.properties("AWS::StepFunctions::StateMachine")["StateMachineName"] in PAGE
    assert default.properties("AWS::CloudWatch::Dashboard")["DashboardName"] == "dicom-ingest"


def test_the_endpoints_that_cost_money_are_counted(default: Template) -> None:
    kinds = [e["Properties"]["VpcEndpointType"] for e in default.resources("AWS::EC2::VPCEndpoint").values()]
    assert (kinds.count("Interface"), "the stack has three" in PAGE) == (3, True)


def test_the_alarms_and_the_dashboard_that_cost_money_are_counted(default: Template) -> None:
    counted = [len(default.resources(f"AWS::CloudWatch::{kind}")) for kind in ("Alarm", "Dashboard")]
    assert (counted, "31 alarms and the dashboard" in PAGE) == ([31, 1], True)


def test_all_regions_are_named_and_no_other() -> None:
    paragraph = PAGE.split("## Regions")[1].split("##")[0]
    assert set(re.findall(r"\b[a-z]{2}-[a-z]+-\d\b", paragraph)) == set(HEALTHIMAGING_REGIONS)


def test_troubleshooting_begins_with_what_a_person_sees() -> None:
    section = PAGE.split("## When something is wrong")[1].split("\n## ")[0]
    symptoms = FIRST_COLUMN.findall(section)
    assert len(symptoms) == len(set(symptoms)) >= 20
    assert all(line.count(" | ") == 3 for line in section.splitlines() if line.startswith("| "))


def test_the_costs_are_those_of_the_performance_page() -> None:
    """Within a quarter: polls differ from run to run, and nobody pays for less than a cent."""
    performance = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    measured = re.search(r"\| all of it, storage apart \| ([\d.]+) \| ([\d.]+) \|", performance)
    told = re.search(r"storage apart \| ([\d.]+) \(([\d.]+) if", PAGE)
    assert measured is not None
    assert told is not None
    assert [float(one) for one in told.groups()] == pytest.approx(
        list(map(float, measured.groups())), rel=0.1
    )
    for name in ("S3 storage", "HealthImaging storage"):
        row = re.search(rf"^\| {name}, a month \| ([\d.]+) \|", performance, flags=re.MULTILINE)
        assert row is not None
        assert f"| {name} of these, a month | {row[1]} |" in PAGE
