"""The one customer key, and the services that may use it: one that is left out fails silently."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from dicom_ingest.contracts.config import Config


def customer_key(scope: Construct, config: Config) -> kms.IKey:
    """The key of bucket, bus, archive, queues, topic, logs, database, data store and state machine.

    Returned as a reference that constructs cannot add statements to: its whole policy stands here, and no
    statement can name a resource that itself needs the key.
    """
    key = kms.Key(
        scope,
        "key",
        alias=f"alias/{config.cdk_app_name}",
        description=f"Everything that {config.cdk_app_name} stores",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.RETAIN if config.environment == "prod" else RemovalPolicy.DESTROY,
    )
    for statement in _statements(Stack.of(scope)):
        key.add_to_resource_policy(statement)
    return kms.Key.from_key_arn(scope, "key-reference", key.key_arn)


def _statements(stack: Stack) -> list[iam.PolicyStatement]:
    own_account = {"StringEquals": {"aws:SourceAccount": stack.account}}
    log_groups = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"
    return [
        _use(
            "Logs",
            f"logs.{stack.region}.amazonaws.com",
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
            ["kms:Encrypt", "kms:ReEncrypt*", "kms:DescribeKey"],
        ),
        # Bus and archive, and events that go to an encrypted queue: those would vanish without a trace.
        _use("Events", "events.amazonaws.com", own_account, ["kms:DescribeKey"]),
        # The log delivery of a state machine whose data is encrypted.
        _use("LogDelivery", "delivery.logs.amazonaws.com", own_account),
        # Alarms that go to an encrypted topic: those, too.
        _use("Alarms", "cloudwatch.amazonaws.com", own_account),
    ]


def _use(
    sid: str, service: str, conditions: dict[str, dict[str, str]], more: list[str] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        principals=[iam.ServicePrincipal(service)],
        actions=["kms:Decrypt", "kms:GenerateDataKey*", *(more or [])],
        resources=["*"],
        conditions=conditions,
    )
