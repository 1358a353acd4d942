"""Least privilege: every action with every resource that the stack grants; a wildcard needs a reason."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from dicom_ingest.contracts.platform.functions import BY_NAME, FUNCTIONS
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
from tests.infrastructure.variants import VARIANTS

EXPLAINED = {
    # action, resource: why nothing narrower exists
    (r"ec2:(Create|Describe|Delete)NetworkInterfaces?|ec2:DescribeSubnets", r"\*"): "Lambda's own, in a VPC",
    (r"ec2:(Una|A)ssignPrivateIpAddresses", r"\*"): "Lambda's own, in a VPC",
    (r"xray:Put(TraceSegments|TelemetryRecords)", r"\*"): "X-Ray has no resources to name",
    (r"xray:GetSampling(Rules|Targets)", r"\*"): "X-Ray has no resources to name",
    (r"logs:\w+(LogDelivery|LogDeliveries|ResourcePolicy|ResourcePolicies)", r"\*"): "no resource types",
    (r"logs:DescribeLogGroups", r"\*"): "no resource types",
    (r"s3:GetObject", r"<data/bucket.Arn>/(manifests|results|[a-z-]+-)/?\*"): "keys below one prefix",
    (r"s3:GetObject", r"arn:.*:cdk-\w+-assets-\S+/[a-z-]+/\*\.zip"): "artifacts of any version",
    (
        r"kms:Decrypt",
        r"arn:<Partition>:kms:<Region>:<AccountId>:key/\*",
    ): "limited to one bucket by a condition",
    (r"s3:PutObject", r"<data/bucket.Arn>/results/\*"): "HealthImaging's results",
    (
        r"s3:(Put\w+|Abort\w+|List\w+)",
        r"<data/bucket.Arn>/(manifests/)?[a-z]+[a-z0-9-]*/\*",
    ): "one edge's keys",
    (r"states:DescribeExecution", r".*:execution:[a-z-]+-ingest-series:\*"): "executions of one machine",
    (
        r"medical-imaging:(GetDICOMImportJob|ListDICOMImportJobs)",
        r".*:datastore/\*",
    ): "imports run on in a data store that was replaced",
    (r"lambda:InvokeFunction", r"<pipeline/functions/migrate_database.Arn>:\*"): "versions of one function",
    (r"iot:(CreateCertificateFromCsr|DescribeEndpoint)", r"\*"): "no resource types",
    (r"iot:Attach(ThingPrincipal|Policy)", r".*:cert/\*"): "the certificate is made during installation",
    (r"iot:Connect", r".*:client/[a-z0-9-]+#\*"): "Greengrass numbers its further connections",
    (r"iot:(Publish|Receive)", r".*:topic/\$aws/things/[a-z0-9-]+/(jobs|shadow)/\*"): "one thing's topics",
    (r"iot:Subscribe", r".*:topicfilter/\$aws/things/[a-z0-9-]+/(jobs|shadow)/\*"): "one thing's topics",
    (r"greengrass:(Get|Resolve|List)\w+", r"\*"): "read only; Greengrass's own minimal device policy",
}


def _explained(action: str, resource: str) -> bool:
    return any(re.fullmatch(a, action) and re.fullmatch(r, resource) for a, r in EXPLAINED)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_wildcard_is_explained(name: str, template: Callable[[str], Template]) -> None:
    wild = [
        (role, action, resource)
        for role, statement in template(name).all_statements()
        for action, resource in statement.pairs
        if statement.effect == "Allow" and ("*" in action or "*" in resource)
    ]
    assert wild
    assert [found for found in wild if not _explained(*found[1:])] == []


def test_no_explanation_is_left_over(template: Callable[[str], Template]) -> None:
    pairs = {pair for name in VARIANTS for _, s in template(name).all_statements() for pair in s.pairs}
    unused = [
        (action, resource)
        for action, resource in EXPLAINED
        if not any(re.fullmatch(action, a) and re.fullmatch(resource, r) for a, r in pairs)
    ]
    assert unused == []


def test_aws_managed_policies_are_the_exception(template: Callable[[str], Template]) -> None:
    edges = template("edges")
    managed = {
        path: [
            edges.text(arn).rpartition("/")[2].strip('"}') for arn in role["Properties"]["ManagedPolicyArns"]
        ]
        for path, role in edges.resources("AWS::IAM::Role").items()
        if role["Properties"].get("ManagedPolicyArns")
    }
    basic = ["AWSLambdaBasicExecutionRole"]
    assert managed == {
        "data/database/cluster/MonitoringRole": ["AmazonRDSEnhancedMonitoringRole"],
        "edge/cloud-instance/role": ["AmazonSSMManagedInstanceCore"],
        "pipeline/migration/provider/framework-onEvent/ServiceRole": basic,
        # The CDK's own: one closes the default security group, one looks up Ubuntu's image.
        "Custom::VpcRestrictDefaultSGCustomResourceProvider/Role": basic,
        "AWS679f53fac002430cb0da5b7982bd2287/ServiceRole": basic,
    }


def test_passing_a_role_means_one_role_to_healthimaging(default: Template) -> None:
    passing = [(role, s) for role, s in default.all_statements() if "iam:PassRole" in s.actions]
    ((role, statement),) = passing
    assert role == "pipeline/functions/start_import-role"
    assert statement.resources == ("<data/image-store/import-role.Arn>",)
    assert statement.conditions == {"StringEquals": {"iam:PassedToService": "medical-imaging.amazonaws.com"}}


def test_a_function_signs_in_as_its_own_database_user_only(default: Template) -> None:
    users = {
        role: resource.rpartition("/")[2]
        for role, s in default.all_statements()
        for action, resource in s.pairs
        if action == "rds-db:connect"
    }
    expected = {spec.name for spec in FUNCTIONS if spec.opens_database} - {"migrate_database"}
    assert users == {f"pipeline/functions/{name}-role": name for name in expected}


def test_only_the_migration_reads_secrets(default: Template) -> None:
    readers = {r for r, s in default.all_statements() if "secretsmanager:GetSecretValue" in s.actions}
    assert readers == {"pipeline/functions/migrate_database-role"}


def test_no_edge_may_read_or_delete_or_touch_another_edge(template: Callable[[str], Template]) -> None:
    for edge in ("edge1", "edge10", "cloud"):
        granted = template("edges").granted(f"edge/{edge}/role")
        bucket = {action for s in granted for action, r in s.pairs if r.startswith("<data/bucket.Arn>")}
        assert bucket == {"s3:PutObject", "s3:ListMultipartUploadParts"}
        places = {r for s in granted for a, r in s.pairs if a == "s3:PutObject"}
        assert places == {
            f"<data/bucket.Arn>/clinic-{edge}/*",
            f"<data/bucket.Arn>/manifests/clinic-{edge}/*",
        }
        (events,) = [s for s in granted if "events:PutEvents" in s.actions]
        assert events.resources == ("<pipeline/bus/bus.Arn>",)
        assert events.conditions == {"StringEquals": {"events:source": "dicom-ingest.edge"}}


def test_an_edges_certificate_is_good_for_its_own_thing_only(template: Callable[[str], Template]) -> None:
    statements = [s for path, s in template("edges").all_statements() if path == "edge/edge1/policy"]
    named = [r for s in statements for r in s.resources if r != "*"]
    assert named
    assert all(re.search(r"clinic-edge1(?![0-9a-z*])", resource) for resource in named)


def test_functions_outside_the_vpc_and_without_healthimaging_have_no_imaging_rights(
    template: Callable[[str], Template],
) -> None:
    actions = {a for _, s in template("no-import").all_statements() for a in s.actions}
    assert not [action for action in actions if action.startswith(("medical-imaging:", "iam:"))]


def test_each_service_that_a_vpc_function_calls_has_an_endpoint(default: Template) -> None:
    endpoints = default.resources("AWS::EC2::VPCEndpoint").values()
    names = {default.text(e["Properties"]["ServiceName"]).rpartition(".")[2] for e in endpoints}
    # Reached by Lambda itself, by the service on the function's behalf, or signed locally.
    elsewhere = {"ec2", "xray", "logs", "kms", "rds-db", "iam", "sqs"}
    for spec in BY_NAME.values():
        if not spec.opens_database:
            continue
        granted = default.granted(f"pipeline/functions/{spec.name}-role")
        called = {action.partition(":")[0] for s in granted for action in s.actions} - elsewhere
        assert called <= names, spec.name


CALLS = {
    r"clients\.s3\(\)": "s3:",
    r"clients\.medical_imaging\(\)": "medical-imaging:",
    r"clients\.stepfunctions\(\)": "states:",
    r"\b(deliver|answer)\(": "states:SendTaskSuccess",
    r"\bagain\.start\(": "states:StartExecution",
    r"\btell_cancelled\(": "states:SendTaskFailure",
    r"anything_to_settle\(": "states:ListExecutions",
    r"is_well\(": "medical-imaging:GetDatastore",
    r"healthimaging\.start\(|\bstart\(client": "medical-imaging:StartDICOMImportJob",
}
"""What a handler's text says it does -> what it then must be allowed to, and only then."""


@pytest.mark.parametrize("name", BY_NAME)
def test_a_function_may_do_what_its_handler_does_and_no_more(name: str, default: Template) -> None:
    text = (ROOT / "functions" / name / "handler.py").read_text()
    granted = {a for s in default.granted(f"pipeline/functions/{name}-role") for a in s.actions}
    for call, action in CALLS.items():
        allowed = any(one.startswith(action) for one in granted)
        assert allowed is bool(re.search(call, text)), (call, action)
