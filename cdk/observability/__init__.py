"""What a person sees: metrics, alarms, a dashboard, saved queries."""

from __future__ import annotations

from constructs import Construct

from cdk.data import Data
from cdk.observability.alarms import Alarms
from cdk.observability.dashboard import dashboard
from cdk.observability.metrics import Metrics
from cdk.observability.queries import Queries
from cdk.pipeline import Pipeline
from dicom_ingest.contracts.configuration.config import Config


class Observability(Construct):
    """The room of those who look after it."""

    def __init__(self, scope: Construct, config: Config, data: Data, pipeline: Pipeline) -> None:
        super().__init__(scope, "observability")
        metrics = Metrics(self, config, data, pipeline)
        self.alarms = Alarms(self, config, data.key, metrics)
        self.dashboard = dashboard(self, config, metrics)
        Queries(self, config, pipeline.functions, metrics.heartbeat_log)
