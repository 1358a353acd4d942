"""The one stack: rooms for data, pipeline and edge, and the outputs that operators look for."""

from __future__ import annotations

from aws_cdk import Annotations, App, CfnOutput, DefaultStackSynthesizer, Environment, Stack, Tags

from cdk.data import Data
from cdk.edge import Edge
from cdk.findings import acknowledge
from cdk.observability import Observability
from cdk.packaging.build import Builder
from cdk.pipeline import Pipeline
from cdk.resources.vended import own_logs
from dicom_ingest.contracts.configuration.config import Config


class IngestStack(Stack):
    """`{cdk_app_name}`. Knows neither account nor region: the deployment decides."""

    def __init__(self, app: App, config: Config, builder: Builder, environment: Environment | None) -> None:
        super().__init__(
            app,
            config.cdk_app_name,
            env=environment,
            description="DICOM from the hospital's network to AWS HealthImaging, losing nothing on the way",
            termination_protection=config.environment == "prod",
            # Devices may fetch what is in this folder of the CDK's assets, and nothing of other stacks.
            synthesizer=DefaultStackSynthesizer(bucket_prefix=f"{config.cdk_app_name}/"),
        )
        self.data = Data(self, config)
        self.pipeline = Pipeline(self, config, self.data, builder)
        self.edge = Edge(self, config, self.data, self.pipeline.bus.bus, builder)
        self.observability = Observability(self, config, self.data, self.pipeline)
        own_logs(self, config, self.data.key)
        acknowledge(self, config)
        self._outputs(config)
        for key, value in config.resource_tags.items():
            Tags.of(self).add(key, value)
        region = environment.region if environment else None
        for warning in config.warnings(region):
            Annotations.of(self).add_warning_v2("config", warning)

    def _outputs(self, config: Config) -> None:
        data, pipeline, store = self.data, self.pipeline, self.data.image_store
        for name, value in {
            "DicomBucket": data.bucket.bucket_name,
            "DatabaseCluster": data.database.cluster.cluster_identifier,
            "DatabaseEndpoint": data.database.endpoint,
            "DatabaseName": config.db_config.db_name,
            "DatabaseSecret": data.database.secret.secret_arn,
            "QueryEditorSecret": data.database.operator_secret.secret_arn,
            "DataStore": store.datastore_id if store else "none: ahli_enabled is false",
            "EventBus": pipeline.bus.bus.event_bus_name,
            "EventArchive": pipeline.bus.archive.archive_name,
            "StateMachine": pipeline.workflow.state_machine.state_machine_arn,
            "UndeliveredEvents": pipeline.bus.undelivered.queue_url,
            "AlarmTopic": self.observability.alarms.topic.topic_arn,
            "Dashboard": self.observability.dashboard.dashboard_name,
            **self.edge.outputs,
        }.items():
            CfnOutput(self, name, value=value)
