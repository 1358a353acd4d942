"""What must survive: bucket, database, data store, key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from cdk.data.database import cluster_name
from tests.infrastructure.template import Statement, Template

RETAINED = ("AWS::S3::Bucket", "AWS::HealthImaging::Datastore", "AWS::KMS::Key")


def test_production_keeps_its_data_when_the_stack_goes(default: Template) -> None:
    for kind in RETAINED:
        policies = {r["DeletionPolicy"] for r in default.resources(kind).values()}
        assert policies == {"Retain"}, kind
    (cluster,) = default.resources("AWS::RDS::DBCluster").values()
    assert cluster["DeletionPolicy"] == cluster["UpdateReplacePolicy"] == "Snapshot"
    assert cluster["Properties"]["DeletionProtection"] is True


def test_development_leaves_nothing_behind(template: Callable[[str], Template]) -> None:
    dev = template("dev")
    kept = [
        path
        for path, resource in ((dev.paths[i], r) for i, r in dev.body["Resources"].items())
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    ]
    assert kept == []
    assert dev.properties("AWS::RDS::DBCluster")["DeletionProtection"] is False
    assert len(dev.resources("Custom::S3AutoDeleteObjects")) == 2


def test_the_bucket_speaks_tls_only(default: Template) -> None:
    policy = default.properties("AWS::S3::BucketPolicy", "data/bucket/Policy")["PolicyDocument"]
    denied = [s for s in default.statements(policy) if s.effect == "Deny" and s.actions == ("s3:*",)]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [s.conditions for s in denied]
    assert {"NumericLessThan": {"s3:TlsVersion": "1.2"}} in [s.conditions for s in denied]
    assert all(s.principals == ("*",) for s in denied)


def test_nobody_overwrites_what_an_edge_uploaded(default: Template) -> None:
    policy = default.properties("AWS::S3::BucketPolicy", "data/bucket/Policy")["PolicyDocument"]
    (rule,) = [s for s in default.statements(policy) if s.actions == ("s3:PutObject",)]
    assert rule.effect == "Deny"
    assert rule.resources == (
        "<data/bucket.Arn>/dicom-ingest-*",
        "<data/bucket.Arn>/manifests/dicom-ingest-*",
    )
    assert rule.conditions == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


def test_the_bucket_is_versioned_encrypted_logged_and_private(default: Template) -> None:
    bucket = default.properties("AWS::S3::Bucket", "data/bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    encryption = rule["ServerSideEncryptionByDefault"]
    assert default.text(encryption["KMSMasterKeyID"]) == "<data/key.Arn>"
    assert default.text(bucket["LoggingConfiguration"]["DestinationBucketName"]) == "<data/access-log>"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}


def test_only_results_and_old_versions_ever_expire(default: Template) -> None:
    bucket = default.properties("AWS::S3::Bucket", "data/bucket")
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {r.get("Prefix") for r in rules if "ExpirationInDays" in r} == {"results/"}
    assert not [r for r in rules if "Transitions" in r]


def test_operators_find_the_names_they_know(default: Template) -> None:
    assert "IEPbucketsIEPDICOMbucket" in default.body["Resources"]
    assert "IEPAuroraDB" in default.body["Resources"]
    assert [i for i in default.body["Resources"] if i.startswith("dicomingestIEPAurora")]
    outputs = default.outputs()
    assert outputs["DicomBucket"] == "<data/bucket>"
    assert outputs["DatabaseSecret"] == "<data/database/secret>"


def test_aurora_sleeps_and_signs_in_with_iam(default: Template) -> None:
    cluster = default.properties("AWS::RDS::DBCluster")
    assert cluster["ServerlessV2ScalingConfiguration"] == {
        "MinCapacity": 0,
        "MaxCapacity": 16,
        "SecondsUntilAutoPause": 1200,
    }
    assert cluster["EnableIAMDatabaseAuthentication"] is True
    assert cluster["EnableHttpEndpoint"] is True
    assert cluster["StorageEncrypted"] is True
    assert cluster["DatabaseName"] == "dicomindex"
    parameters = default.properties("AWS::RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters == {"rds.force_ssl": "1", "idle_session_timeout": "90000"}


def test_a_floor_above_zero_switches_the_pause_off_and_says_so(template: Callable[[str], Template]) -> None:
    full = template("full")
    cluster = full.properties("AWS::RDS::DBCluster")
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 2, "MaxCapacity": 32}
    metadata = (full.folder / f"{full.stack}.metadata.json").read_text()
    assert "db_engine_pause has no effect" in metadata


def test_without_import_there_is_no_data_store_and_no_endpoint_for_it(
    template: Callable[[str], Template],
) -> None:
    off = template("no-import")
    assert not off.resources("AWS::HealthImaging::Datastore")
    endpoints = off.resources("AWS::EC2::VPCEndpoint")
    assert not [path for path in endpoints if "imaging" in path]


def test_healthimaging_may_use_the_import_role_for_our_data_store_only(default: Template) -> None:
    role = default.properties("AWS::IAM::Role", "data/image-store/import-role")
    (trust,) = default.statements(role["AssumeRolePolicyDocument"])
    assert trust.principals == ("medical-imaging.amazonaws.com",)
    assert trust.conditions == {
        "StringEquals": {"aws:SourceAccount": "<AccountId>"},
        "ArnLike": {"aws:SourceArn": "<data/image-store/datastore.DatastoreArn>"},
    }


@pytest.mark.parametrize("name", ["default", "no-import"])
def test_nothing_in_the_vpc_reaches_the_internet(name: str, template: Callable[[str], Template]) -> None:
    for kind in ("AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"):
        assert not template(name).resources(kind), kind


def test_the_vpc_has_the_configured_block(template: Callable[[str], Template]) -> None:
    assert template("default").properties("AWS::EC2::VPC")["CidrBlock"] == "10.31.0.0/16"
    assert template("edges").properties("AWS::EC2::VPC")["CidrBlock"] == "10.9.0.0/24"


def test_the_services_that_need_the_key_are_admitted(default: Template) -> None:
    key = default.properties("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    principals = {p for s in default.statements(key["KeyPolicy"]) for p in s.principals}
    assert {
        "events.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "delivery.logs.amazonaws.com",
        "logs.<Region>.amazonaws.com",
    } <= principals


def test_every_resource_that_can_be_tagged_is_tagged(template: Callable[[str], Template]) -> None:
    """By CloudFormation's own schemas. The CDK's providers get theirs from the stack's tags."""
    full = template("full")
    untagged = [
        full.paths[id_]
        for id_, resource in full.body["Resources"].items()
        if not resource["Type"].startswith("Custom::")
        and _can_be_tagged(resource["Type"])
        and not {"cost-centre", "radiology"} <= _values(resource["Properties"].get("Tags", []))
        and not full.paths[id_].startswith("Custom::")
    ]
    assert untagged == []
    (artifact,) = [
        artifact
        for artifact in json.loads((full.folder / "manifest.json").read_text())["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack"
    ]
    assert artifact["properties"]["tags"] == {"cost-centre": "radiology", "owner": "pacs"}


def _can_be_tagged(kind: str) -> bool:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return bool(schema.get("tagging", {}).get("taggable")) or "Tags" in schema["properties"]


def _values(tags: Any) -> set[str]:
    pairs = tags.items() if isinstance(tags, dict) else [(tag["Key"], tag["Value"]) for tag in tags]
    return {word for pair in pairs for word in pair}


def test_no_pause_is_no_pause(template: Callable[[str], Template]) -> None:
    cluster = template("no-import").properties("AWS::RDS::DBCluster")
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0, "MaxCapacity": 16}


def test_the_logs_of_postgresql_are_encrypted_and_end(default: Template) -> None:
    cluster = default.body["Resources"]["IEPAuroraDB"]
    exported = [
        f"/aws/rds/cluster/{cluster['Properties']['DBClusterIdentifier']}/{kind}"
        for kind in cluster["Properties"]["EnableCloudwatchLogsExports"]
    ]
    groups = {
        group["Properties"]["LogGroupName"]: id_
        for id_, group in default.body["Resources"].items()
        if group["Type"] == "AWS::Logs::LogGroup"
    }
    assert {groups[name] for name in exported} <= set(cluster["DependsOn"])


def test_a_cluster_can_be_named_after_every_stack() -> None:
    assert cluster_name("dicom-ingest") == "dicom-ingest-iepauroradb"
    assert cluster_name("a--b") == "a-b-iepauroradb"
    assert len(cluster_name("s" * 40)) <= 63


def _key_statements(template: Template) -> list[Any]:
    return template.statements(template.properties("AWS::KMS::Key")["KeyPolicy"])


def test_the_archive_may_re_encrypt_its_events(default: Template) -> None:
    (archive,) = [s for s in _key_statements(default) if "kms:ReEncrypt*" in s.actions and _is_events(s)]
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= set(archive.actions)
    bus = "arn:<Partition>:events:<Region>:<AccountId>:event-bus/dicom-ingest-events"
    assert archive.conditions == {"ArnLike": {"kms:EncryptionContext:aws:events:event-bus:arn": bus}}
    (looking,) = [s for s in _key_statements(default) if s.actions == ("kms:DescribeKey",) and _is_events(s)]
    assert looking.conditions == {}


def test_eventbridge_may_encrypt_for_queues_without_naming_its_source(default: Template) -> None:
    """AWS documents no aws:Source* key for EventBridge that sends to an encrypted queue or topic."""
    context = "kms:EncryptionContext:aws:sqs:arn"
    (sending,) = [
        s for s in _key_statements(default) if _is_events(s) and context in s.conditions.get("ArnLike", {})
    ]
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} == set(sending.actions)
    assert sending.conditions == {"ArnLike": {context: "arn:<Partition>:sqs:<Region>:<AccountId>:*"}}


def _is_events(statement: Statement) -> bool:
    return statement.principals == ("events.amazonaws.com",)
