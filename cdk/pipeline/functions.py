"""The Lambda functions: one slice of the repository, one role, one log group each; two layers for all."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.data import Data
from cdk.limits import CONNECTIONS
from cdk.packaging.build import Builder
from cdk.pipeline.permissions import Permissions
from cdk.resources.logs import log_group
from cdk.resources.queues import dead_letter_queue
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import FUNCTIONS, FunctionSpec

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
SCHEDULED = ("reclaim_import_slots", "audit_uploads")
"""Invoked without anybody waiting for the answer: failures go to a dead-letter queue."""


class Functions(Construct):
    """All functions of contracts.platform.functions, by name."""

    def __init__(self, scope: Construct, config: Config, data: Data, builder: Builder) -> None:
        super().__init__(scope, "functions")
        self._config = config
        self._data = data
        self._builder = builder
        self._permissions = Permissions(Stack.of(self), config, data)
        self.state_machine_arn = self._permissions.state_machine_arn
        # Where an event lies that a function of the upkeep failed to work on.
        self.failed = dead_letter_queue(self, "failed", data.key)
        self._layers = [
            self._layer("code", builder.code_layer, "dicom_ingest"),
            self._layer("dependencies", builder.dependency_layer, "Locked dependencies"),
        ]
        self.by_name = {spec.name: self._function(spec) for spec in FUNCTIONS}

    def _layer(self, id_: str, path: str, description: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            id_,
            code=lambda_.Code.from_asset(path),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
            description=description,
        )

    def _function(self, spec: FunctionSpec) -> lambda_.Function:
        name = wiring.function_name(self._config.cdk_app_name, spec.name)
        group = log_group(self, f"{spec.name}-log", f"/aws/lambda/{name}", self._config, self._data.key)
        role = iam.Role(self, f"{spec.name}-role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        group.grant_write(role)
        for statement in self._permissions.of(spec):
            role.add_to_policy(statement)
        network = self._data.network
        return lambda_.Function(
            self,
            spec.name,
            function_name=name,
            code=lambda_.Code.from_asset(self._builder.function(spec.name)),
            handler=spec.handler,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            layers=self._layers,
            role=role,
            log_group=group,
            tracing=lambda_.Tracing.ACTIVE,
            timeout=Duration.seconds(spec.timeout_seconds),
            memory_size=spec.memory_mb,
            environment=wiring.function_environment(spec, self._values(spec)) | self._endpoint(spec),
            dead_letter_queue=self.failed if spec.name in SCHEDULED else None,
            reserved_concurrent_executions=self._reservation(spec),
            vpc=network.vpc if spec.opens_database else None,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
            if spec.opens_database
            else None,
            security_groups=[network.functions] if spec.opens_database else None,
        )

    def _values(self, spec: FunctionSpec) -> dict[str, str]:
        store, database = self._data.image_store, self._data.database
        if spec.name == "migrate_database":
            url = wiring.secret_database_url(database.endpoint, database.name, database.secret.secret_arn)
        else:
            url = wiring.iam_database_url(database.endpoint, database.name, spec.name)
        return {
            "STACK": self._config.cdk_app_name,
            "DATABASE_URL": url,
            "BUCKET": self._data.bucket.bucket_name,
            "DATASTORE_ID": store.datastore_id if store else "",
            "IMPORT_ROLE_ARN": store.import_role.role_arn if store else "",
            "STATE_MACHINE_ARN": self.state_machine_arn,
        }

    def _endpoint(self, spec: FunctionSpec) -> dict[str, str]:
        """`ahli_endpoint`: another address of HealthImaging, in the SDK's own variable."""
        endpoint = self._config.ahli_config.ahli_endpoint
        if endpoint is None or "DATASTORE_ID" not in spec.environment:
            return {}
        return {"AWS_ENDPOINT_URL_MEDICAL_IMAGING": endpoint}

    def _reservation(self, spec: FunctionSpec) -> int | None:
        return CONNECTIONS.get(spec.name) if self._config.lambda_reservations else None
