"""What each function may do, and nothing more: one row per function, one statement per need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk.data import Data
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.keys import MANIFESTS, RESULTS
from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import FunctionSpec


@dataclass(frozen=True)
class Permissions:
    """Statements by need. ARNs are built from names where the resource comes later in the template."""

    stack: Stack
    config: Config
    data: Data

    def of(self, spec: FunctionSpec) -> list[iam.PolicyStatement]:
        """All statements of one function's role."""
        statements = [self._network_interfaces()] if spec.opens_database else []
        if spec.opens_database and spec.name != "migrate_database":
            statements.append(self._database_user(spec.name))
        return statements + [statement for need in _NEEDS[spec.name] for statement in need(self)]

    @property
    def state_machine_arn(self) -> str:
        """The workflow's ARN, by its name."""
        name = wiring.state_machine_name(self.config.cdk_app_name)
        return self._states("stateMachine", name)

    def _states(self, kind: str, name: str) -> str:
        return f"arn:{self.stack.partition}:states:{self.stack.region}:{self.stack.account}:{kind}:{name}"

    def _network_interfaces(self) -> iam.PolicyStatement:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions"""
        verbs = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
        addresses = ("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
        return _allow([f"ec2:{verb}" for verb in (*verbs, *addresses)], "*")

    def _database_user(self, user: str) -> iam.PolicyStatement:
        cluster = self.data.database.cluster.cluster_resource_identifier
        database = f"arn:{self.stack.partition}:rds-db:{self.stack.region}:{self.stack.account}"
        return _allow(["rds-db:connect"], f"{database}:dbuser:{cluster}/{user}")

    def send_grants(self) -> list[iam.PolicyStatement]:
        """The grant step: hand a slot to a waiting execution, and ask about one that refused its token."""
        return [_allow(["states:SendTaskSuccess"], self.state_machine_arn), *self.describe_executions()]

    def send_cancellations(self) -> list[iam.PolicyStatement]:
        """Tell an execution that an operator has cancelled its ticket."""
        return [_allow(["states:SendTaskFailure"], self.state_machine_arn)]

    def describe_executions(self) -> list[iam.PolicyStatement]:
        """Is the owner alive?"""
        name = wiring.state_machine_name(self.config.cdk_app_name)
        return [
            _allow(["states:DescribeExecution"], self._states("execution", f"{name}:*")),
            # The state machine's data is encrypted with our key, so its callers need it, too.
            self._key("states", ["kms:Decrypt", "kms:GenerateDataKey"]),
        ]

    def start_executions(self) -> list[iam.PolicyStatement]:
        """Queue a newer transfer again behind an older one that was imported over it."""
        return [_allow(["states:StartExecution"], self.state_machine_arn)]

    def list_executions(self) -> list[iam.PolicyStatement]:
        """Does anything run at all?"""
        return [_allow(["states:ListExecutions"], self.state_machine_arn)]

    def read_manifests(self) -> list[iam.PolicyStatement]:
        """Manifests of every edge."""
        return self._read(f"{MANIFESTS}*")

    def read_results(self) -> list[iam.PolicyStatement]:
        """What HealthImaging wrote about its imports; the folder of an attempt names the import."""
        return self._read(f"{RESULTS}*")

    def list_instances(self) -> list[iam.PolicyStatement]:
        """What an announced prefix really holds."""
        return [self._list(f"{self.config.cdk_app_name}-*")]

    def list_everything(self) -> list[iam.PolicyStatement]:
        """The audit compares prefixes of instances with manifests."""
        return [_allow(["s3:ListBucket"], self.data.bucket.bucket_arn)]

    def start_imports(self) -> list[iam.PolicyStatement]:
        """Start an import with the one import role, for HealthImaging only."""
        if self.data.image_store is None:
            return []
        role = self.data.image_store.import_role.role_arn
        return [
            *self._images(["medical-imaging:StartDICOMImportJob"]),
            _allow(
                ["iam:PassRole"],
                role,
                {"StringEquals": {"iam:PassedToService": "medical-imaging.amazonaws.com"}},
            ),
        ]

    def check_imports(self) -> list[iam.PolicyStatement]:
        """Ask about one import, which may run in a data store that was replaced since."""
        return self._images(["medical-imaging:GetDICOMImportJob"], self._any_data_store())

    def list_imports(self) -> list[iam.PolicyStatement]:
        """Find an import whose start was never answered."""
        return self._images(["medical-imaging:ListDICOMImportJobs"], self._any_data_store())

    def probe_data_store(self) -> list[iam.PolicyStatement]:
        """Is the data store well again? That opens its gate."""
        return self._images(["medical-imaging:GetDatastore"])

    def use_queues(self) -> list[iam.PolicyStatement]:
        """Lambda uses the encrypted queues as the function's role: for failed events, and for its source.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        """
        return [self._key("sqs", ["kms:Decrypt", "kms:GenerateDataKey"])]

    def read_secrets(self) -> list[iam.PolicyStatement]:
        """The schema is made by the administrator, who also sets the operator's password."""
        secrets = [self.data.database.secret.secret_arn, self.data.database.operator_secret.secret_arn]
        return [
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=secrets),
            self._key("secretsmanager", ["kms:Decrypt"]),
        ]

    def _any_data_store(self) -> str:
        return self.stack.format_arn(service="medical-imaging", resource="datastore", resource_name="*")

    def _images(self, actions: list[str], stores: str | None = None) -> list[iam.PolicyStatement]:
        if self.data.image_store is None:
            return []
        return [
            _allow(actions, stores or self.data.image_store.datastore_arn),
            self._key("medical-imaging", ["kms:Decrypt", "kms:GenerateDataKey"]),
        ]

    def _read(self, keys: str) -> list[iam.PolicyStatement]:
        return [
            _allow(["s3:GetObject"], self.data.bucket.arn_for_objects(keys)),
            self._key("s3", ["kms:Decrypt"]),
            self._list(keys),
        ]

    def _list(self, prefix: str) -> iam.PolicyStatement:
        """To list, and to be told that an object is absent: without this right S3 answers 403, not 404.

        A GetObject names no prefix, hence IfExists.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        named = {"StringLikeIfExists": {"s3:prefix": prefix}}
        return _allow(["s3:ListBucket"], self.data.bucket.bucket_arn, named)

    def _key(self, service: str, actions: list[str]) -> iam.PolicyStatement:
        via = f"{service}.{self.stack.region}.amazonaws.com"
        return _allow(actions, self.data.key.key_arn, {"StringEquals": {"kms:ViaService": via}})


def _allow(
    actions: list[str], resource: str, conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=[resource], conditions=conditions)


Need = Callable[[Permissions], list[iam.PolicyStatement]]
_NEEDS: dict[str, tuple[Need, ...]] = {
    "index_series": (Permissions.read_manifests, Permissions.list_instances, Permissions.send_grants),
    "acquire_import_slot": (Permissions.send_grants,),
    "start_import": (
        Permissions.start_imports,
        Permissions.send_grants,
        Permissions.check_imports,
        Permissions.list_imports,
        Permissions.read_results,
    ),
    "check_import": (Permissions.check_imports, Permissions.read_results),
    "record_image_sets": (Permissions.check_imports, Permissions.read_results, Permissions.send_grants),
    "release_import_slot": (
        Permissions.send_grants,
        Permissions.send_cancellations,
        Permissions.start_executions,
    ),
    "record_failure": (),
    "reclaim_import_slots": (
        Permissions.send_grants,
        Permissions.send_cancellations,
        Permissions.list_executions,
        Permissions.start_executions,
        Permissions.check_imports,
        Permissions.list_imports,
        Permissions.probe_data_store,
        Permissions.read_results,
        Permissions.use_queues,
    ),
    "audit_uploads": (Permissions.list_everything, Permissions.use_queues),
    "migrate_database": (Permissions.read_secrets,),
}
