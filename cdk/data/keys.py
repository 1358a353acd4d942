"""The one customer key, and the services that may use it: one that is left out fails silently."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import wiring


def customer_key(scope: Construct, config: Config) -> kms.IKey:
    """The key of bucket, bus, archive, queues, topic, logs, database, data store and state machine.

    Returned as a reference that constructs cannot add statements to: its whole policy is here, and no
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
    for statement in _statements(Stack.of(scope), wiring.bus_name(config.cdk_app_name)):
        key.add_to_resource_policy(statement)
    return kms.Key.from_key_arn(scope, "key-reference", key.key_arn)


def _statements(stack: Stack, bus: str) -> list[iam.PolicyStatement]:
    """One row per use of the key by a service on its own behalf; roles are admitted by their own policies.

    Each condition is one that AWS's page for that use shows. Where it shows none (EventBridge that sends to
    an encrypted queue), the encryption context limits the use, and the queue's policy names the sender.
    """

    def ours(service: str, resource: str) -> str:
        return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{resource}"

    delivery = {"ArnLike": {"kms:EncryptionContext:SourceArn": ours("logs", "*")}}
    own_account = {"StringEquals": {"aws:SourceAccount": stack.account}}
    events, own_bus = "events.amazonaws.com", _context("events:event-bus", ours("events", f"event-bus/{bus}"))
    return [
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        _use(
            "Logs",
            f"logs.{stack.region}.amazonaws.com",
            _context("logs", ours("logs", "log-group:*")),
            ["kms:Encrypt", "kms:ReEncrypt*", "kms:DescribeKey"],
        ),
        # Without a context: EventBridge looks at the key when a bus or an archive is made.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html
        _statement("EventsLook", events, ["kms:DescribeKey"]),
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/encryption-archives.html
        _use("BusAndArchive", events, own_bus, ["kms:ReEncrypt*"]),
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        _use("EventsToQueues", events, _context("sqs", ours("sqs", "*"))),
        # Of a state machine whose data is encrypted: its role encrypts, the delivery decrypts.
        # https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
        _statement("LogDelivery", "delivery.logs.amazonaws.com", ["kms:Decrypt"], delivery),
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
        _use("Alarms", "cloudwatch.amazonaws.com", own_account),
    ]


def _context(name: str, arn: str) -> dict[str, dict[str, str]]:
    """Only for what this service encrypts for these resources."""
    return {"ArnLike": {f"kms:EncryptionContext:aws:{name}:arn": arn}}


def _use(
    sid: str, service: str, conditions: dict[str, dict[str, str]], more: list[str] | None = None
) -> iam.PolicyStatement:
    return _statement(sid, service, ["kms:Decrypt", "kms:GenerateDataKey*", *(more or [])], conditions)


def _statement(
    sid: str, service: str, actions: list[str], conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        principals=[iam.ServicePrincipal(service)],
        actions=actions,
        resources=["*"],
        conditions=conditions,
    )
