"""Queues: encrypted, TLS only."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def dead_letter_queue(scope: Construct, id_: str, key: kms.IKey) -> sqs.Queue:
    """Keeps what could not be delivered for 14 days; an alarm says when it holds something."""
    return queue(scope, id_, key, retention_period=Duration.days(14))


def queue(
    scope: Construct,
    id_: str,
    key: kms.IKey,
    *,
    visibility_timeout: Duration | None = None,
    retention_period: Duration | None = None,
    dead_letter: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """A queue."""
    return sqs.Queue(
        scope,
        id_,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        visibility_timeout=visibility_timeout,
        retention_period=retention_period,
        dead_letter_queue=dead_letter,
    )


def let_events_in(queue_: sqs.Queue, source_arn: str) -> None:
    """Let EventBridge send to the queue on behalf of one bus or rule."""
    queue_.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[queue_.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": source_arn}},
        )
    )


def keep_strangers_out(queue_: sqs.Queue) -> None:
    """Refuse rules of other accounts: for an encrypted target the CDK allows EventBridge as a whole."""
    stack = Stack.of(queue_)
    rules = f"arn:{stack.partition}:events:{stack.region}:{stack.account}:rule/*"
    queue_.add_to_resource_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[queue_.queue_arn],
            conditions={"ArnNotLike": {"aws:SourceArn": rules}},
        )
    )
