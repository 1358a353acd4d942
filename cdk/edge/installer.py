"""`{stack}-GGInstallerRole`: what a person borrows for an hour to register a device, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.edge.identity import EdgeDevice


def registration(stack: Stack, devices: Sequence[EdgeDevice], group_arn: str) -> list[iam.PolicyStatement]:
    """A certificate for a key made on the device, attached to a thing of this stack and its policy."""
    iot = f"arn:{stack.partition}:iot:{stack.region}:{stack.account}"
    things = [f"{iot}:thing/{device.thing_name}" for device in devices]
    policies = [f"{iot}:policy/{device.thing_name}-GG-Policy" for device in devices]
    certificates = f"{iot}:cert/*"
    return [
        # Neither has a resource that could be named.
        _allow(["iot:CreateCertificateFromCsr", "iot:DescribeEndpoint"], ["*"]),
        _allow(["iot:AttachThingPrincipal"], [*things, certificates]),
        _allow(["iot:AttachPolicy"], [*policies, certificates]),
        _allow(["iot:AddThingToThingGroup"], [*things, group_arn]),
    ]


def installer_role(scope: Construct, name: str, devices: Sequence[EdgeDevice], group_arn: str) -> iam.Role:
    """The role, for people of this account who may assume it."""
    role = iam.Role(
        scope,
        "installer-role",
        role_name=name,
        assumed_by=iam.AccountRootPrincipal(),
        max_session_duration=Duration.hours(1),
        description="Registers edge devices of this stack; borrowed for the installation only",
    )
    for statement in registration(Stack.of(scope), devices, group_arn):
        role.add_to_policy(statement)
    return role


def _allow(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources)
