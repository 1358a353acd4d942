"""The functions that the CDK brings for its custom resources: their logs, too, are encrypted and go in time.

Left alone, Lambda makes a log group for each at its first line: without our key, kept for ever, and still
there after `cdk destroy`.
"""

from __future__ import annotations

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_kms as kms

from cdk.resources.logs import log_group
from dicom_ingest.contracts.configuration.config import Config

_PROVIDER = "Custom::"
"""Begins the id of the CDK's providers; their function is called `Handler`."""
SDK_CALL = "AWS679f53fac002430cb0da5b7982bd2287"
"""The id of the CDK's function behind AwsCustomResource: it looks up Ubuntu's image once, for EC2 edges."""


def own_logs(stack: Stack, config: Config, key: kms.IKey) -> None:
    """Give each of them that is in the stack a log group; called when everything else is."""
    for name, function in _functions(stack).items():
        path = f"/aws/lambda/{config.cdk_app_name}-{name}"
        group = log_group(stack, f"{name}-log", path, config, key)
        function.add_property_override("LoggingConfig.LogGroup", group.log_group_name)


def _functions(stack: Stack) -> dict[str, CfnResource]:
    found: dict[str, CfnResource] = {}
    for construct in stack.node.children:
        id_ = construct.node.id
        if id_ == SDK_CALL:
            found["sdk-call"] = _resource(construct.node.find_child("Resource"))
        elif id_.startswith(_PROVIDER):
            name = id_.removeprefix(_PROVIDER).removesuffix("CustomResourceProvider")
            found[name] = _resource(construct.node.find_child("Handler"))
    return found


def _resource(construct: object) -> CfnResource:
    if not isinstance(construct, CfnResource):
        raise TypeError(f"a CloudFormation resource is expected, found {type(construct).__name__}")
    return construct
