"""What CloudFormation, cdk-nag (AwsSolutions, HIPAA Security) and cfn-lint say of every variant."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.conftest import ROOT
from tests.infrastructure.variants import VARIANTS

PACKS = ("AwsSolutions", "HIPAA.Security")
IGNORED = {
    "W3005": "the CDK writes dependencies out that a reference already implies",
}


def _reports(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "validation-report.json").read_text())
    return {plugin["pluginName"]: plugin for plugin in report["pluginReports"]}


@pytest.mark.parametrize("name", VARIANTS)
def test_no_finding_is_left_without_a_reason(name: str, synthesised: Path) -> None:
    reports = _reports(synthesised / name)
    assert set(PACKS) <= set(reports)
    left = [
        (violation["ruleName"], [c["constructPath"] for c in violation["violatingConstructs"]])
        for report in reports.values()  # with CloudFormation's own, where it has something to say
        for violation in report["violations"]
    ]
    assert left == []


def test_every_acknowledged_rule_still_finds_something(synthesised: Path) -> None:
    suppressed = {
        violation["ruleName"].partition("[")[0]
        for name in VARIANTS
        for pack in PACKS
        for violation in _reports(synthesised / name)[pack]["suppressedViolations"]
    }
    source = (ROOT / "cdk" / "findings.py").read_text()
    acknowledged = set(re.findall(r"(?:AwsSolutions|HIPAA\.Security)-\w+", source))
    assert acknowledged == suppressed


def test_cfn_lint_finds_nothing(synthesised: Path) -> None:
    found = sorted(synthesised.glob("*/*.template.json"))
    assert len(found) == len(VARIANTS)
    templates = {path.read_bytes(): str(path) for path in found}.values()
    program = str(Path(sys.executable).parent / "cfn-lint")
    lint = [program, "--regions", "us-east-1", "--ignore-checks", *IGNORED, "--"]
    done = subprocess.run([*lint, *templates], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
