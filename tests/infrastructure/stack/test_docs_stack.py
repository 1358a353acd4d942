"""Pages that name what the stack makes: roles with their actions, alarms with their sections, outputs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from cdk.edge.instance import DICOM_PORTS, OUTBOUND_PORTS
from cdk.limits import interface_endpoints
from dicom_ingest.contracts.configuration.config import Config
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template

SECURITY = (ROOT / "docs/security.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
EVERYBODYS = re.compile(r"(logs|xray):\w+|ec2:\w*(NetworkInterface|Address|Subnet)\w*")
"""Writing one's own log, X-Ray, and Lambda's network interfaces in a VPC."""
PLUMBING = (
    "flow-log-role",
    "ServiceRole",
    "MonitoringRole",
    "Custom::",
    "AWS679f",
    "-instance/role",
    "/policy",
)
"""What the CDK makes of its own accord, and what the page says of EC2 edges and devices in words."""


def _name(path: str) -> str:
    """As the page calls it: the part of the path that is a person's word for the role."""
    last = path.split("/")[-2] if path.endswith("/role") else path.split("/")[-1]
    return last if last in ("import-role", "installer-role") else last.removesuffix("-role")


def stated_actions(page: str) -> dict[str, set[str]]:
    """Role -> actions, of the page's table."""
    rows = re.findall(
        r"^\| `([\w-]+)`(?: \([^|]*\))? \| ([^|]*`\w[\w-]*:\w+`[^|]*) \|", page, flags=re.MULTILINE
    )
    return {role: set(re.findall(r"`([\w-]+:\w+)`", actions)) for role, actions in rows}


def granted_actions(template: Template) -> dict[str, set[str]]:
    """Role -> actions, of the stack."""
    found: dict[str, set[str]] = {}
    for path, statement in template.all_statements():
        if not any(part in path for part in PLUMBING):
            actions = {action for action in statement.actions if not EVERYBODYS.fullmatch(action)}
            found.setdefault(_name(path), set()).update(actions)
    return found


def test_every_role_and_every_action_is_in_the_security_page(default: Template) -> None:
    assert stated_actions(SECURITY) == granted_actions(default)


def test_a_role_that_may_more_than_the_page_says_is_found() -> None:
    page = "| `record_failure` | `rds-db:connect`, `s3:GetObject` | x |\n| `bus` (rule) | `states:Stop` | |\n"
    assert stated_actions(page) == {
        "record_failure": {"rds-db:connect", "s3:GetObject"},
        "bus": {"states:Stop"},
    }


def test_ports_and_endpoints_are_in_the_security_page() -> None:
    ports = SECURITY.partition("## Ports")[2].partition("\n## ")[0]
    for port in {**DICOM_PORTS, **OUTBOUND_PORTS}:
        assert re.search(rf"\b{port}\b", ports), port
    for endpoint in interface_endpoints(Config()):
        assert f"`{endpoint}`" in ports, endpoint


def test_periods_are_those_of_the_stack(default: Template) -> None:
    bucket = default.properties("AWS::S3::Bucket", "data/bucket")
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert f"| {rules['results']['ExpirationInDays']} days | customer key" in SECURITY
    noncurrent = rules["leftovers"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
    assert f"replaced or deleted | the same as above | {noncurrent} days" in SECURITY
    backup = default.properties("AWS::RDS::DBCluster")["BackupRetentionPeriod"]
    assert f"backups {backup} days" in SECURITY
    archive = default.properties("AWS::Events::Archive")["RetentionDays"]
    assert f"`archive_retention_days` ({archive})" in SECURITY
    logs = {
        group["Properties"]["RetentionInDays"] for group in default.resources("AWS::Logs::LogGroup").values()
    }
    assert [f"`log_retention_days` ({days})" in SECURITY for days in logs] == [True]


def test_outputs_that_the_pages_name_exist(default: Template) -> None:
    named = set(re.findall(r"outputs? `(\w+)`", SECURITY + OPERATIONS))
    assert named
    assert named <= default.outputs().keys()


@pytest.mark.parametrize("name", ["default", "edges"])
def test_every_alarm_has_its_section_in_the_runbook_and_every_section_an_alarm(
    name: str, template: Callable[[str], Template]
) -> None:
    stack, alarms = template(name), template(name).resources("AWS::CloudWatch::Alarm").values()
    edges = stack.resources("AWS::IoT::Thing").values()
    things = [re.escape(str(edge["Properties"]["ThingName"])) for edge in edges]
    names = {str(alarm["Properties"]["AlarmName"]) for alarm in alarms}
    short = {re.sub(rf"^({'|'.join(things)})-", "{edge}-", alarm) for alarm in names}
    expected = {alarm.removeprefix(f"{stack.stack}-") for alarm in short}
    assert sections(OPERATIONS) == expected


def sections(page: str) -> set[str]:
    """Alarms that have a heading of their own; one heading may name several."""
    part = page.partition("## When an alarm rings")[2].partition("\n## ")[0]
    return {
        name
        for heading in re.findall(r"^### (.+)$", part, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", heading)
    }
