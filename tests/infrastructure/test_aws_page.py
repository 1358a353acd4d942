"""docs/aws.md: what it says is printed is what is printed, and what it names exists."""

from __future__ import annotations

import io
import os
import re
import subprocess
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from cdk import install_edge
from cdk.device.hosts import firewall_list
from cdk.doctor import account_script
from dicom_ingest.contracts.config import HEALTHIMAGING_REGIONS, ConfigError, parse_config
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
from tests.support.programs import require

PAGE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
PRINTED = dict(re.findall(r"<!-- printed: ([^>]+?) -->\n```\n(.*?)```", PAGE, flags=re.DOTALL))
READY = {"sts": "echo 123456789012", "service-quotas": "echo 100.0", "lambda": "echo 1000"}
NEW = {**READY, "cloudformation": "exit 254", "service-quotas": "echo 20.0", "lambda": "echo 10"}
FIRST_COLUMN = re.compile(r"^\| (?!symptom|---)(.+?) \|", re.MULTILINE)


def _doctor(answers: dict[str, str], folder: Path) -> str:
    require("bash")
    cases = " ".join(f"{service}) {answer} ;;" for service, answer in answers.items())
    (folder / "aws").write_text(f'#!/bin/sh\ncase "$1" in {cases} *) echo 1 ;; esac\n')
    (folder / "aws").chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    script = account_script(parse_config({}), "us-east-1")
    done = subprocess.run(
        ["bash", "-s"], input=script, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout


def test_the_account_doctors_verdicts_are_the_real_ones(tmp_path: Path) -> None:
    assert PRINTED["doctor account, ready"] == _doctor(READY, tmp_path)
    assert PRINTED["doctor account, new"] == _doctor(NEW, tmp_path)


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
    assert (counted, "22 alarms and the dashboard" in PAGE) == ([22, 1], True)


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
