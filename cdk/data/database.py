"""The index: Aurora PostgreSQL Serverless v2 that sleeps, signs in with IAM, is never dropped."""

from __future__ import annotations

import re

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.data.network import Network
from cdk.limits import CONNECTIONS, OPERATOR
from cdk.resources.ids import fixed_id
from cdk.resources.logs import log_group
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.configuration.services import DatabaseConfig

_USABLE = 0.8
"""The rest of max_connections is for migrations, the Data API and Aurora itself."""


_ENGINE = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_13)


class Database(Construct):
    """The cluster, its administrator's secret, and the operator's for the Query Editor."""

    def __init__(self, scope: Construct, config: Config, network: Network, key: kms.IKey) -> None:
        super().__init__(scope, "database")
        check_connections(config.db_config)
        dev = config.environment == "dev"
        prefix = config.cdk_app_name.replace("-", "")
        self.secret = self._secret("secret", "clusteradmin", f"{prefix}IEPAuroraSecret", key)
        self.operator_secret = self._secret("operator", OPERATOR, f"{prefix}IEPOperatorSecret", key)
        identifier = cluster_name(config.cdk_app_name)
        self.cluster = rds.DatabaseCluster(
            self,
            "cluster",
            cluster_identifier=identifier,
            engine=_ENGINE,
            credentials=rds.Credentials.from_secret(self.secret),
            default_database_name=config.db_config.db_name,
            writer=rds.ClusterInstance.serverless_v2(
                "writer", enable_performance_insights=True, performance_insight_encryption_key=key
            ),
            parameter_group=self._parameters(),
            vpc=network.vpc,
            vpc_subnets=network.isolated,
            security_groups=[network.database],
            iam_authentication=True,
            enable_data_api=True,  # for the RDS Query Editor
            storage_encrypted=True,
            storage_encryption_key=key,
            cloudwatch_logs_exports=["postgresql"],
            monitoring_interval=Duration.seconds(60),
            enable_performance_insights=True,
            performance_insight_encryption_key=key,
            backup=rds.BackupProps(retention=Duration.days(1 if dev else 14)),
            copy_tags_to_snapshot=True,
            deletion_protection=not dev,
            removal_policy=RemovalPolicy.DESTROY if dev else RemovalPolicy.SNAPSHOT,
            serverless_v2_min_capacity=config.db_config.min_acu_capacity,
            serverless_v2_max_capacity=config.db_config.max_acu_capacity,
            serverless_v2_auto_pause_duration=_pause(config.db_config),
        )
        fixed_id(self.cluster, "IEPAuroraDB")
        # PostgreSQL's errors name keys of rows. RDS would make the group itself: not encrypted, for ever.
        log = log_group(self, "log", f"/aws/rds/cluster/{identifier}/postgresql", config, key)
        self.cluster.node.add_dependency(log)
        self.operator_secret.attach(self.cluster)
        self.name = config.db_config.db_name
        self.endpoint = self.cluster.cluster_endpoint.hostname

    def _secret(self, id_: str, username: str, logical_id: str, key: kms.IKey) -> rds.DatabaseSecret:
        secret = rds.DatabaseSecret(self, id_, username=username, encryption_key=key)
        fixed_id(secret, logical_id)
        return secret

    def _parameters(self) -> rds.ParameterGroup:
        return rds.ParameterGroup(
            self,
            "parameters",
            engine=_ENGINE,
            parameters={
                "rds.force_ssl": "1",
                # Warm functions hold a connection; Aurora pauses only without any. Milliseconds.
                "idle_session_timeout": "90000",
            },
        )


def cluster_name(stack: str) -> str:
    """`{stack}-iepauroradb`; RDS takes no two hyphens in a row."""
    return re.sub("-+", "-", f"{stack}-iepauroradb")


def _pause(config: DatabaseConfig) -> Duration | None:
    """Aurora pauses only from a floor of 0; above it the setting is a warning (contracts.configuration)."""
    if config.db_engine_pause and config.min_acu_capacity == 0:
        return Duration.minutes(config.db_engine_pause)
    return None


def max_connections(config: DatabaseConfig) -> int:
    """PostgreSQL's max_connections by capacity, rounded down.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
    """
    ceiling = 2000 if config.min_acu_capacity <= 0.5 else 5000
    return min(ceiling, int(189 * config.max_acu_capacity))


def check_connections(config: DatabaseConfig) -> None:
    """Every user's limit together must fit, whatever runs at once.

    Raises:
        ValueError: max_acu_capacity is too small for CONNECTIONS.
    """
    wanted, allowed = sum(CONNECTIONS.values()), int(_USABLE * max_connections(config))
    if wanted > allowed:
        raise ValueError(
            f"db_config.max_acu_capacity = {config.max_acu_capacity:g}: the functions may hold {wanted} "
            f"connections, {allowed} are allowed at this capacity"
        )
