"""The policies of whoever deploys: current, small enough, and enough for what commands and scripts call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cdk import policies
from cdk.rights.deployer import deployer
from cdk.rights.statements import MAXIMUM, QUALIFIER
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
from tests.infrastructure.variants import VARIANTS
from tests.support.iam.calls import BUCKET, Call, source_spelling
from tests.support.iam.evaluator import PolicyStatement, Request, decide
from tests.support.iam.key_use import by_callers
from tests.support.iam.recording import recorded

STACK, ACCOUNT, REGION = "dicom-ingest", "123456789012", "us-east-1"
SERVICES = {"greengrassv2": "greengrass", "service-quotas": "servicequotas"}
"""The command line's name -> IAM's."""
WRITTEN = {
    "<Partition>": "aws",
    "<Region>": REGION,
    "<AccountId>": ACCOUNT,
    "{stack}": STACK,
    BUCKET: "arn:aws:s3:::dicom-ingest-iepbucketsiepdicombucket-1a2b3c",
    "<data/database/cluster>": "dicom-ingest-iepauroradb",
    "<data/key.Arn>": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "<pipeline/bus/undelivered.Arn>": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dicom-ingest-pipelinebusundelivered-1",
}


def _deployer() -> list[PolicyStatement]:
    return [_statement(one) for one in deployer(STACK, ACCOUNT, REGION)["Statement"]]


def _statement(one: dict[str, Any]) -> PolicyStatement:
    return PolicyStatement(
        one["Effect"],
        actions=tuple(one["Action"]),
        resources=tuple(one["Resource"]),
        conditions=one.get("Condition", {}),
    )


def _written(text: str) -> str:
    text = re.sub(
        r"<pipeline/functions/(\w+)\.Arn>", rf"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-\1", text
    )
    for name, value in WRITTEN.items():
        text = text.replace(name, value)
    return text


def test_the_files_are_those_that_the_command_writes(default: Template) -> None:
    folder = ROOT / "docs" / "policies"
    expected = policies.rendered(policies.types_of(default.path), STACK, ACCOUNT, REGION)
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert found == expected, "run make synth and python -m cdk.policies"


@pytest.mark.parametrize("name", VARIANTS)
def test_a_policy_fits_iam_whatever_is_configured(name: str, template: Callable[[str], Template]) -> None:
    stack = template(name)
    for file, text in policies.rendered(policies.types_of(stack.path), stack.stack, ACCOUNT, REGION).items():
        assert len(re.sub(r"\s", "", text)) <= MAXIMUM, file


@pytest.mark.parametrize("name", VARIANTS)
def test_cloudformation_may_make_every_resource_of_the_stack(
    name: str, template: Callable[[str], Template]
) -> None:
    types = policies.types_of(template(name).path)
    parts = policies.cloudformation(types, STACK, ACCOUNT, REGION)
    allowed = {action for part in parts for one in part["Statement"] for action in one["Action"]}
    assert policies.permissions(types) <= allowed
    for kind in types:
        if kind.startswith("AWS::") and kind != "AWS::CloudFormation::CustomResource":
            assert policies.permissions([kind]), kind


def test_cloudformation_changes_roles_of_this_stack_only(default: Template) -> None:
    parts = policies.cloudformation(policies.types_of(default.path), STACK, ACCOUNT, REGION)
    statements = [one for part in parts for one in part["Statement"]]
    for one in statements:
        for action in one["Action"]:
            if action.startswith("iam:") and action not in policies.NOWHERE:
                assert "*" not in one["Resource"], action
    others = [_statement(one) for one in statements]
    admin = Request("", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Admin")
    assert decide(admin, others) == "denied by default"
    elsewhere = Request("", "sqs:DeleteQueue", "any", {"aws:RequestedRegion": "eu-west-1"})
    assert decide(elsewhere, others) == "denied by default"


def _scripts() -> set[str]:
    """`service:operation` of every call of the AWS command line in what is printed for people."""
    texts = [path.read_text() for path in (*(ROOT / "cdk").glob("*.py"), *(ROOT / "cdk/device").glob("*.sh"))]
    lines = [line for text in texts for line in text.splitlines() if not re.match(r"\s*#", line)]
    return {
        f"{SERVICES.get(service, service)}:{operation.replace('-', '')}"
        for service, operation in re.findall(
            r"\baws ([a-z][a-z0-9-]+) ([a-z][a-z-]+-[a-z-]+)\b", "\n".join(lines)
        )
    }


def test_a_deployer_may_run_what_the_scripts_call() -> None:
    allowed = {action.lower() for one in _deployer() for action in one.actions}
    called = _scripts()
    assert {"iot:deletecertificate", "ec2:describevpcendpointservices", "sts:assumerole"} <= called
    assert sorted(called - allowed) == []


def test_a_deployer_may_do_what_the_operators_verbs_call() -> None:
    calls = recorded("operator")
    assert len(calls) >= 8
    made = [*calls, *(use for call in calls for use in by_callers(call))]
    refused = [call for call in made if decide(_request(call), _deployer()) != "allowed"]
    assert refused == []


def _request(call: Call) -> Request:
    context = {key: _written(value) for key, value in call.context.items()}
    return Request(call.principal, call.action, _written(call.resource), context)


EXPLAINED = {
    "sts:GetCallerIdentity": "IAM asks for no permission, but organisations may",
    "kms:Decrypt": "by services, on the operator's behalf",
    "kms:GenerateDataKey": "by services, on the operator's behalf",
    "secretsmanager:GetSecretValue": "by the RDS Data API, on the operator's behalf",
    "iot:DescribeEndpoint": "cdk.doctor asks it through Python",
    "s3:ListBucket": "list_objects_v2",
}


def test_a_deployer_may_do_nothing_that_nothing_calls() -> None:
    code = "\n".join(
        path.read_text() for room in ("ops", "dicom_ingest", "cdk") for path in (ROOT / room).rglob("*.py")
    )
    called = {*_scripts(), *(call.action.lower() for call in recorded("operator"))}
    unused = [
        action
        for one in _deployer()
        for action in one.actions
        if action.lower() not in called
        and action not in EXPLAINED
        and f".{source_spelling(action.partition(':')[2])}(" not in code
        and f'"{source_spelling(action.partition(":")[2])}"' not in code
    ]
    assert unused == []


def test_a_deployer_reads_no_images_of_other_stacks() -> None:
    for resource in ("arn:aws:s3:::another/x", f"arn:aws:iam::{ACCOUNT}:role/Admin"):
        for action in ("s3:GetObject", "sts:AssumeRole"):
            assert decide(Request("", action, resource), _deployer()) == "denied by default"


def test_the_bootstrap_is_of_the_qualifier_that_the_stack_uses(default: Template) -> None:
    manifest = (default.folder / "manifest.json").read_text()
    assert set(re.findall(r"cdk-([a-z0-9]+)-(?:deploy|cfn-exec|assets|lookup)", manifest)) == {QUALIFIER}
    assert json.dumps(policies.bootstrap(ACCOUNT, REGION)).count(QUALIFIER) >= 4
