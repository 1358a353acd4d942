"""The state machine: the repository's own definition, with the functions' ARNs filled in."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.data import Data
from cdk.pipeline.functions import Functions
from cdk.resources.logs import log_group
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import WORKFLOW_FUNCTIONS

DEFINITION = Path(__file__).parents[2] / "statemachines" / "ingest_series.asl.json"


class Workflow(Construct):
    """The state machine, its role and its log."""

    def __init__(self, scope: Construct, config: Config, data: Data, functions: Functions) -> None:
        super().__init__(scope, "workflow")
        name = wiring.state_machine_name(config.cdk_app_name)
        group = log_group(self, "log", f"/aws/vendedlogs/states/{name}", config, data.key)
        workers = {name: functions.by_name[name].function_arn for name in WORKFLOW_FUNCTIONS}
        # A definition given as text grants nothing by itself.
        role = iam.Role(self, "role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=list(workers.values()))
        )
        self.state_machine = sfn.StateMachine(
            self,
            "ingest_series",
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_string(DEFINITION.read_text(encoding="utf-8")),
            definition_substitutions=workers,
            role=role,
            tracing_enabled=True,
            encryption_configuration=sfn.CustomerManagedEncryptionConfiguration(data.key),
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
