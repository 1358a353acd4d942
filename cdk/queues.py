"""Queues: encrypted, TLS only."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def dead_letter_queue(scope: Construct, id_: str, key: kms.IKey) -> sqs.Queue:
    """Keeps what could not be delivered for 14 days; an alarm says that something lies there."""
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
