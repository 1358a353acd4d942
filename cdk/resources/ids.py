"""Logical ids that operators know: CloudFormation makes names of buckets, clusters and secrets of them."""

from __future__ import annotations

from aws_cdk import CfnResource
from constructs import Construct, IConstruct


def resource_of(construct: Construct) -> CfnResource:
    """The CloudFormation resource below a construct.

    Raises:
        TypeError: the construct has none of its own.
    """
    resource: IConstruct | None = construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise TypeError(f"{construct.node.path} has no CloudFormation resource of its own")
    return resource


def fixed_id(construct: Construct, logical_id: str) -> None:
    """Give the resource below a construct this logical id."""
    resource_of(construct).override_logical_id(logical_id)
