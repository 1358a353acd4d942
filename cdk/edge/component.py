"""The edge as a Greengrass component: artifact, immutable version, and the deployment to all devices."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_greengrassv2 as greengrass
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from cdk.data import Data
from cdk.device import NUCLEUS_VERSION
from cdk.edge.recipe import component_version, recipe_settings, render_recipe
from cdk.packaging.build import Builder
from dicom_ingest.contracts.configuration.config import Config

OWNED = ("/edge/stack", "/edge/bucket", "/edge/event_bus", "/edge/senders", "/edge/edges", "/region")
"""Settings that come from config.yaml. A device keeps its values across versions unless they are reset; what
else was set on it, such as the files of DICOM TLS, stays."""


class Component(Construct):
    """`{stack}-DIMSEtoS3`. A replaced version goes, so that going back to its content can make it again."""

    def __init__(
        self, scope: Construct, config: Config, data: Data, bus: events.EventBus, builder: Builder
    ) -> None:
        super().__init__(scope, "component")
        self.name = f"{config.cdk_app_name}-DIMSEtoS3"
        self._artifact = assets.Asset(self, "artifact", path=builder.edge_artifact)
        template = (builder.root / "edge_component" / "recipe.yaml").read_text(encoding="utf-8")
        settings = recipe_settings(config)
        self.version = component_version(
            builder.root / "pyproject.toml",
            self._artifact.asset_hash,
            template,
            json.dumps(settings, sort_keys=True),
        )
        recipe = render_recipe(
            template,
            {
                "component_name": self.name,
                "component_version": self.version,
                "artifact_uri": self._artifact.s3_object_url,
                "artifact_name": self._artifact.s3_object_key.rpartition("/")[2].removesuffix(".zip"),
                "bucket": data.bucket.bucket_name,
                "event_bus": bus.event_bus_name,
                "region": Stack.of(self).region,
                **settings,
            },
        )
        version = greengrass.CfnComponentVersion(
            self, "version", inline_recipe=Stack.of(self).to_json_string(recipe)
        )
        self._version = version

    def allow_download(self, role: iam.Role) -> None:
        """Let a device fetch the artifact of any version: not the assets of other stacks.

        The nucleus asks for the bucket's region first; 403 fails the deployment. A device that is behind may
        still fetch the version before, so the policy does not name one artifact.
        """
        bucket = self._artifact.bucket
        folder = self._artifact.s3_object_key.rpartition("/")[0]
        artifacts = bucket.arn_for_objects(f"{folder}/*.zip")
        for statement in (
            iam.PolicyStatement(
                sid="ComponentRegion", actions=["s3:GetBucketLocation"], resources=[bucket.bucket_arn]
            ),
            iam.PolicyStatement(sid="Component", actions=["s3:GetObject"], resources=[artifacts]),
            # A bootstrap with a customer key: its ARN is not known here, so the bucket is named instead.
            # S3 gives the bucket's ARN where it uses a bucket key, else the object's.
            iam.PolicyStatement(
                sid="ComponentKey",
                actions=["kms:Decrypt"],
                resources=[Stack.of(self).format_arn(service="kms", resource="key", resource_name="*")],
                conditions={
                    "StringEquals": {"kms:ViaService": f"s3.{Stack.of(self).region}.amazonaws.com"},
                    "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket.bucket_arn, artifacts]},
                },
            ),
        ):
            role.add_to_policy(statement)

    def deploy(self, group_arn: str, devices: Sequence[Construct]) -> greengrass.CfnDeployment:
        """Ask the devices of the group to run this version; an edge finishes open associations first.

        It comes after everything that the devices need: a device that may not fetch it yet fails, and is not
        asked again before the next version.
        """
        components = {
            self.name: greengrass.CfnDeployment.ComponentDeploymentSpecificationProperty(
                component_version=self.version,
                configuration_update=greengrass.CfnDeployment.ComponentConfigurationUpdateProperty(
                    reset=list(OWNED)
                ),
            ),
            "aws.greengrass.Nucleus": greengrass.CfnDeployment.ComponentDeploymentSpecificationProperty(
                component_version=NUCLEUS_VERSION
            ),
        }
        deployment = greengrass.CfnDeployment(
            self,
            "deployment",
            target_arn=group_arn,
            deployment_name=self.name,
            components=components,
            deployment_policies=greengrass.CfnDeployment.DeploymentPoliciesProperty(
                failure_handling_policy="ROLLBACK",
                component_update_policy=greengrass.CfnDeployment.DeploymentComponentUpdatePolicyProperty(
                    action="NOTIFY_COMPONENTS", timeout_in_seconds=120
                ),
            ),
        )
        deployment.node.add_dependency(self._version, *devices)
        return deployment
