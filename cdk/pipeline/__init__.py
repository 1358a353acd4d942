"""What happens to a series: bus, workflow, functions, upkeep."""

from __future__ import annotations

from constructs import Construct

from cdk.data import Data
from cdk.packaging.build import Builder
from cdk.pipeline.bus import Bus
from cdk.pipeline.functions import Functions
from cdk.pipeline.migration import Migration
from cdk.pipeline.upkeep import Upkeep
from cdk.pipeline.workflow import Workflow
from dicom_ingest.contracts.configuration.config import Config


class Pipeline(Construct):
    """The room of everything that runs in AWS."""

    def __init__(self, scope: Construct, config: Config, data: Data, builder: Builder) -> None:
        super().__init__(scope, "pipeline")
        self.functions = Functions(self, config, data, builder)
        self.migration = Migration(self, config, data, self.functions)
        self.workflow = Workflow(self, config, data, self.functions)
        self.bus = Bus(self, config, data, self.workflow.state_machine)
        self.upkeep = Upkeep(self, data, self.functions)
        # New code meets the new schema, and no event comes before there is one.
        for function in (f for name, f in self.functions.by_name.items() if name != "migrate_database"):
            function.node.add_dependency(self.migration.resource)
