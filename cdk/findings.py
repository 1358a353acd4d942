"""Findings of cdk-nag (AwsSolutions, HIPAA Security) that we live with, each with its reason.

`python -m cdk.review` runs the rules; the tests fail on whatever is not acknowledged here.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from cdk.resources.vended import SDK_CALL
from dicom_ingest.contracts.configuration.config import Config

_PROVIDER = "pipeline/migration/provider"
_MANAGED = "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy"
_BASIC = f"{_MANAGED}/service-role/AWSLambdaBasicExecutionRole]"
_PASSWORDS = (
    "Functions sign in with IAM tokens of 15 minutes; the two passwords serve deploys and the Query Editor. "
    "Rotation by Secrets Manager needs a function of AWS's application repository in the VPC; RDS's own "
    "rotation gives the secret a new name, and operators know it by its name."
)
_BUCKET = "<IEPbucketsIEPDICOMbucket.Arn>"


@dataclass(frozen=True)
class Finding:
    """A rule (with its finding, where it has several), the construct it is acknowledged for, and why."""

    rule: str
    place: str
    reason: str


def acknowledge(stack: Stack, config: Config) -> None:
    """Acknowledge every finding whose construct exists in this configuration."""
    for finding in (*_EVERYWHERE, *_wildcards(config), *_edges(config)):
        construct = _find(stack, finding.place)
        if construct is not None:
            pack = finding.rule.split("-", 1)[0]
            rule = Acknowledgment(id=f"{pack}::{finding.rule}", reason=finding.reason)
            Validations.of(construct).acknowledge(rule)


def _find(stack: Stack, place: str) -> IConstruct | None:
    construct: IConstruct | None = stack
    for part in filter(None, place.split("/")):
        construct = construct.node.try_find_child(part) if construct else None
    return construct


_EVERYWHERE = (
    Finding(
        "HIPAA.Security-IAMNoInlinePolicy",
        "",
        "Each role has exactly one owner and one policy of its own; a managed policy would invite sharing.",
    ),
    Finding(
        "HIPAA.Security-LambdaConcurrency",
        "",
        "A new account has ten concurrent executions in all: `lambda_reservations` switches them on. "
        "Until then the CONNECTION LIMIT of each database user bounds them.",
    ),
    Finding(
        "HIPAA.Security-LambdaDLQ",
        "",
        "Step Functions and CloudFormation invoke these synchronously and see every failure; the two "
        "that are invoked asynchronously have a dead-letter queue.",
    ),
    Finding("AwsSolutions-L1", "pipeline/functions", "Python 3.13 is what the lock is built and tested for."),
    Finding(
        "HIPAA.Security-LambdaInsideVPC",
        "pipeline/functions/check_import",
        "It opens no database and calls public AWS services only; in the VPC it would need more endpoints.",
    ),
    Finding(
        "HIPAA.Security-LambdaInsideVPC", _PROVIDER, "The CDK's own: it invokes one function and answers S3."
    ),
    Finding("HIPAA.Security-LambdaInsideVPC", SDK_CALL, "The CDK's own: it calls Systems Manager once."),
    Finding(_BASIC, _PROVIDER, "The CDK's own function; the policy is for its log group."),
    Finding(_BASIC, SDK_CALL, "The CDK's own function; the policy is for its log group."),
    Finding(
        f"{_MANAGED}/service-role/AmazonRDSEnhancedMonitoringRole]",
        "data/database/cluster/MonitoringRole",
        "The one policy that enhanced monitoring accepts.",
    ),
    Finding(
        "AwsSolutions-SMG4",
        "data/database",
        _PASSWORDS,
    ),
    Finding(
        "HIPAA.Security-SecretsManagerRotationEnabled",
        "data/database",
        _PASSWORDS,
    ),
    Finding(
        "HIPAA.Security-RDSInBackupPlan",
        "data/database",
        "Aurora keeps 14 days of point-in-time recovery; the manifests in S3 can rebuild the index.",
    ),
    Finding(
        "HIPAA.Security-S3BucketReplicationEnabled",
        "data",
        "S3 keeps every version in three availability zones; another region costs as much again.",
    ),
    Finding(
        "HIPAA.Security-S3DefaultEncryptionKMS",
        "data/access-log",
        "S3 delivers access logs to buckets with its own encryption only.",
    ),
    Finding("AwsSolutions-SQS3", "pipeline/bus/undelivered", "It is the dead-letter queue of bus and rule."),
    Finding(
        "HIPAA.Security-VPCNoUnrestrictedRouteToIGW",
        "data/network",
        "Only with EC2 edges: the NAT gateway is alone in the public subnets.",
    ),
)
_DEV = "`environment: dev` is for trying out: `cdk destroy` must leave nothing. `prod` has it."


def _wildcards(config: Config) -> list[Finding]:
    """The IAM test lists them one by one (tests/infrastructure/rights/test_iam.py)."""
    executions = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution"
    account = "arn:<AWS::Partition>:iot:<AWS::Region>:<AWS::AccountId>"
    stores = "arn:<AWS::Partition>:medical-imaging:<AWS::Region>:<AWS::AccountId>:datastore"
    found = {
        "*": "Actions without resources: Lambda's network interfaces, X-Ray, log delivery, IoT certificates.",
        f"{_BUCKET}/manifests/*": "Manifests of every edge.",
        f"{_BUCKET}/results/*": "Results of every import.",
        f"{_BUCKET}/{config.cdk_app_name}-*": "HealthImaging reads the instances of every edge.",
        f"{executions}:{config.cdk_app_name}-ingest-series:*": "Executions of the one state machine.",
        f"{stores}/*": "Imports may still run in a data store that was replaced; they are asked about only.",
        "<pipelinefunctionsmigratedatabase6E33B0CC.Arn>:*": "Versions of the one function that is invoked.",
        f"{account}:cert/*": "The certificate does not exist yet.",
    }
    dev = config.environment == "dev"
    rules = ("AwsSolutions-RDS10", "HIPAA.Security-RDSInstanceDeletionProtectionEnabled") if dev else ()
    return [
        *(Finding(f"AwsSolutions-IAM5[Resource::{name}]", "", reason) for name, reason in found.items()),
        *(Finding(rule, "data/database", _DEV) for rule in rules),
    ]


def _edges(config: Config) -> list[Finding]:
    findings = []
    assets = "arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>"
    artifacts = {
        f"{assets}/{config.cdk_app_name}/*.zip": "Artifacts of the component in any version.",
        "arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:key/*": (
            "The key of the CDK's own bucket, where it has one; a condition names the bucket."
        ),
    }
    for edge in config.edge_config:
        name = config.edge_name(edge.name)
        findings += [
            Finding(f"AwsSolutions-IAM5[Resource::{resource}]", f"edge/{edge.name}", reason)
            for resource, reason in artifacts.items()
        ]
        findings += [
            Finding(
                f"AwsSolutions-IAM5[Resource::{_BUCKET}/{prefix}{name}/*]",
                f"edge/{edge.name}",
                "An edge writes below its own prefix, and nowhere else.",
            )
            for prefix in ("", "manifests/")
        ]
        findings.append(
            Finding(
                f"{_MANAGED}/AmazonSSMManagedInstanceCore]",
                f"edge/{edge.name}-instance",
                "AWS maintains what Systems Manager's agent needs.",
            )
        )
    return findings
