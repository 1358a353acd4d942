"""Ubuntu's machine image, looked up by the stack when the instance is made, not again on every deploy.

The CDK's own way resolves the newest image on each deploy, which would replace the instance and its spool.
"""

from __future__ import annotations

import jsii
from aws_cdk import Stack, custom_resources
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

_PARAMETER = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


@jsii.implements(ec2.IMachineImage)
class Ubuntu:
    """Ubuntu 24.04 for x86_64."""

    def get_image(self, scope: Construct) -> ec2.MachineImageConfig:
        """The image's id, as CloudFormation will know it."""
        stack = Stack.of(scope)
        call = custom_resources.AwsSdkCall(
            service="SSM",
            action="getParameter",
            parameters={"Name": _PARAMETER},
            physical_resource_id=custom_resources.PhysicalResourceId.of(_PARAMETER),
            output_paths=["Parameter.Value"],
        )
        parameter = f"arn:{stack.partition}:ssm:{stack.region}::parameter{_PARAMETER}"
        statement = iam.PolicyStatement(actions=["ssm:GetParameter"], resources=[parameter])
        lookup = custom_resources.AwsCustomResource(
            scope,
            "image",
            on_create=call,
            on_update=call,
            install_latest_aws_sdk=False,
            policy=custom_resources.AwsCustomResourcePolicy.from_statements([statement]),
        )
        return ec2.MachineImageConfig(
            image_id=lookup.get_response_field("Parameter.Value"),
            os_type=ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_linux(),
        )
