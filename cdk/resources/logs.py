"""Log groups: named, encrypted with the customer key, kept as long as `config.yaml` says."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.resources.ids import resource_of
from dicom_ingest.contracts.configuration.config import Config


def log_group(scope: Construct, id_: str, name: str, config: Config, key: kms.IKey) -> logs.LogGroup:
    """A log group; `cdk destroy` removes it, so that the next deploy does not meet its name again."""
    group = logs.LogGroup(
        scope, id_, log_group_name=name, encryption_key=key, removal_policy=RemovalPolicy.DESTROY
    )
    # The construct takes an enumeration where CloudFormation takes the number of days.
    resource_of(group).add_property_override("RetentionInDays", config.log_retention_days)
    return group
