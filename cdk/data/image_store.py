"""The HealthImaging data store, and the role that its imports read and write the bucket with."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_healthimaging as healthimaging
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.keys import RESULTS


class ImageStore(Construct):
    """Exists where `ahli_enabled` is true."""

    def __init__(self, scope: Construct, config: Config, bucket: s3.Bucket, key: kms.IKey) -> None:
        super().__init__(scope, "image-store")
        datastore = healthimaging.CfnDatastore(
            self, "datastore", datastore_name=config.cdk_app_name, kms_key_arn=key.key_arn
        )
        prod = config.environment == "prod"
        datastore.apply_removal_policy(RemovalPolicy.RETAIN if prod else RemovalPolicy.DESTROY)
        self.datastore_id = datastore.attr_datastore_id
        self.datastore_arn = datastore.attr_datastore_arn
        self.import_role = self._role(bucket, key, config.cdk_app_name)

    def _role(self, bucket: s3.Bucket, key: kms.IKey, stack: str) -> iam.Role:
        """https://docs.aws.amazon.com/healthimaging/latest/devguide/cross-service-confused-deputy-prevention.html"""
        principal = iam.ServicePrincipal(
            "medical-imaging.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                "ArnLike": {"aws:SourceArn": self.datastore_arn},
            },
        )
        role = iam.Role(
            self,
            "import-role",
            assumed_by=principal,
            description="HealthImaging imports: read series, write results",
        )
        for actions, resource in (
            ("s3:ListBucket", bucket.bucket_arn),
            ("s3:GetObject", bucket.arn_for_objects(f"{stack}-*")),
            ("s3:PutObject", bucket.arn_for_objects(f"{RESULTS}*")),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[actions], resources=[resource]))
        role.add_to_policy(
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn])
        )
        return role
