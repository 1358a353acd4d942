"""Statements and policies of IAM, as JSON has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAXIMUM = 6144
"""Characters of a managed policy, white space not counted.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
QUALIFIER = "hnb659fds"

Statement = dict[str, Any]
Policy = dict[str, Any]


def parameter(account: str, region: str) -> str:
    """The parameter with the version of the CDK's own stack."""
    return f"arn:aws:ssm:{region}:{account}:parameter/cdk-bootstrap/{QUALIFIER}/*"


def allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> Statement:
    """One statement."""
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def policy(statements: Sequence[Statement]) -> Policy:
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}
