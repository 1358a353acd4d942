"""The one DICOM bucket: versioned, encrypted, TLS only, and written by edges without ever overwriting."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.resources.ids import fixed_id
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.keys import MANIFESTS, RESULTS

RESULT_DAYS = 90
NONCURRENT_DAYS = 30


def dicom_bucket(scope: Construct, config: Config, key: kms.IKey) -> s3.Bucket:
    """The bucket; only results and noncurrent versions ever expire."""
    dev = config.environment == "dev"
    removal = RemovalPolicy.DESTROY if dev else RemovalPolicy.RETAIN
    access_log = s3.Bucket(
        scope,
        "access-log",
        encryption=s3.BucketEncryption.S3_MANAGED,  # log delivery cannot use a customer key
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        removal_policy=removal,
        auto_delete_objects=dev,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(365), noncurrent_version_expiration=Duration.days(NONCURRENT_DAYS)
            )
        ],
    )
    bucket = s3.Bucket(
        scope,
        "bucket",
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        server_access_logs_bucket=access_log,
        server_access_logs_prefix="dicom/",
        removal_policy=removal,
        auto_delete_objects=dev,
        lifecycle_rules=[
            s3.LifecycleRule(id="results", prefix=RESULTS, expiration=Duration.days(RESULT_DAYS)),
            s3.LifecycleRule(
                id="leftovers",
                noncurrent_version_expiration=Duration.days(NONCURRENT_DAYS),
                abort_incomplete_multipart_upload_after=Duration.days(7),
            ),
        ],
    )
    fixed_id(bucket, "IEPbucketsIEPDICOMbucket")
    bucket.add_to_resource_policy(_never_overwrite(bucket, config.cdk_app_name))
    return bucket


def _never_overwrite(bucket: s3.Bucket, stack: str) -> iam.PolicyStatement:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html"""
    return iam.PolicyStatement(
        sid="NeverOverwrite",
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["s3:PutObject"],
        resources=[bucket.arn_for_objects(f"{stack}-*"), bucket.arn_for_objects(f"{MANIFESTS}{stack}-*")],
        conditions={
            "Null": {"s3:if-none-match": "true"},
            # Parts of a multipart upload carry no such header; the request that completes it does.
            "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    )
