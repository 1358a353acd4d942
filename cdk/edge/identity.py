"""One edge in AWS: its thing, and the only things that its certificate may do."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from aws_cdk import aws_rolesanywhere as rolesanywhere
from constructs import Construct

from cdk.data import Data
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.configuration.edges import EdgeConfig
from dicom_ingest.contracts.keys import MANIFESTS
from dicom_ingest.contracts.messages.events import EDGE_SOURCE

CREDENTIAL_SECONDS = 3600


class EdgeDevice(Construct):
    """Thing, role, role alias and IoT policy of `{stack}-{edge}`: nothing that another edge could use."""

    def __init__(
        self, scope: Construct, edge: EdgeConfig, config: Config, data: Data, bus: events.EventBus
    ) -> None:
        super().__init__(scope, edge.name)
        self._stack = Stack.of(self)
        self.thing_name = config.edge_name(edge.name)
        self.thing = iot.CfnThing(self, "thing", thing_name=self.thing_name)
        self.role = self._role(f"{self.thing_name}-GG-Role", data, bus)
        self.alias = iot.CfnRoleAlias(
            self,
            "alias",
            role_alias=f"{self.thing_name}-GG-Role-Alias",
            role_arn=self.role.role_arn,
            credential_duration_seconds=CREDENTIAL_SECONDS,
        )
        self.policy = iot.CfnPolicy(
            self,
            "policy",
            policy_name=f"{self.thing_name}-GG-Policy",
            policy_document={"Version": "2012-10-17", "Statement": self._iot_statements()},
        )
        if edge.trust_anchor is not None:
            self._trust(edge.trust_anchor)

    def _trust(self, anchor: str) -> None:
        """Let the device sign in with a certificate of the anchor that bears its name, without Greengrass.

        https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html
        """
        assert self.role.assume_role_policy is not None  # noqa: S101 - a role of this stack has one
        self.role.assume_role_policy.add_statements(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("rolesanywhere.amazonaws.com")],
                actions=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                conditions={
                    "ArnEquals": {"aws:SourceArn": anchor},
                    "StringEquals": {"aws:PrincipalTag/x509Subject/CN": self.thing_name},
                },
            )
        )
        rolesanywhere.CfnProfile(
            self,
            "profile",
            name=self.thing_name,
            role_arns=[self.role.role_arn],
            enabled=True,
            duration_seconds=CREDENTIAL_SECONDS,
        )

    def _role(self, name: str, data: Data, bus: events.EventBus) -> iam.Role:
        # No aws:SourceArn or aws:SourceAccount: AWS shows neither for this principal, and if the credentials
        # provider does not send them, the device gets no credentials at all. The device's own IoT policy
        # names the one alias that its certificate may use, and an alias exists in this account only.
        # https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html
        role = iam.Role(
            self, "role", role_name=name, assumed_by=iam.ServicePrincipal("credentials.iot.amazonaws.com")
        )
        bucket, edge = data.bucket, self.thing_name
        for statement in (
            iam.PolicyStatement(
                sid="Upload",
                actions=["s3:PutObject"],
                # The slash keeps `edge1` out of what belongs to `edge10`.
                resources=[
                    bucket.arn_for_objects(f"{edge}/*"),
                    bucket.arn_for_objects(f"{MANIFESTS}{edge}/*"),
                ],
            ),
            iam.PolicyStatement(
                sid="Resume",
                actions=["s3:ListMultipartUploadParts"],
                resources=[bucket.arn_for_objects(f"{edge}/*")],
            ),
            iam.PolicyStatement(
                sid="Encrypt",
                actions=["kms:GenerateDataKey", "kms:Decrypt"],
                resources=[data.key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"s3.{self._stack.region}.amazonaws.com"}},
            ),
            iam.PolicyStatement(
                sid="Announce",
                actions=["events:PutEvents"],
                resources=[bus.event_bus_arn],
                conditions={"StringEquals": {"events:source": EDGE_SOURCE}},
            ),
        ):
            role.add_to_policy(statement)
        return role

    def _iot_statements(self) -> list[dict[str, object]]:
        """https://docs.aws.amazon.com/greengrass/v2/developerguide/device-auth.html (minimal policy)"""
        thing = self.thing_name
        # Greengrass opens more connections as `{thing}#2`; `{thing}*` would name `edge10` for `edge1`.
        clients = [self._iot_arn("client", thing), self._iot_arn("client", f"{thing}#*")]
        owned = [f"$aws/things/{thing}/{part}" for part in ("jobs/*", "shadow/*")]
        health = [f"$aws/things/{thing}/{part}/health/json" for part in ("greengrass", "greengrassv2")]
        topics = [self._iot_arn("topic", topic) for topic in (*owned, *health)]
        return [
            self._allow(["iot:Connect"], clients),
            self._allow(["iot:Publish", "iot:Receive"], topics),
            self._allow(["iot:Subscribe"], [self._iot_arn("topicfilter", topic) for topic in owned]),
            self._allow(
                ["iot:AssumeRoleWithCertificate"], [self._iot_arn("rolealias", f"{thing}-GG-Role-Alias")]
            ),
            self._allow(
                [
                    "greengrass:GetComponentVersionArtifact",
                    "greengrass:ResolveComponentCandidates",
                    "greengrass:GetDeploymentConfiguration",
                    "greengrass:ListThingGroupsForCoreDevice",
                ],
                ["*"],
            ),
        ]

    def _allow(self, actions: list[str], resources: list[str]) -> dict[str, object]:
        return {"Effect": "Allow", "Action": actions, "Resource": resources}

    def _iot_arn(self, kind: str, name: str) -> str:
        return f"arn:{self._stack.partition}:iot:{self._stack.region}:{self._stack.account}:{kind}/{name}"
