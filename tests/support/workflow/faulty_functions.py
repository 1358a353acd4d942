"""The workflow's functions redeployed so that tests can make each go wrong for one series transfer."""

from __future__ import annotations

from pathlib import Path

from dicom_ingest.contracts.platform.functions import WORKFLOW_FUNCTIONS
from local.aws.lambda_functions import LambdaFunction
from local.parts import resources
from local.run import wiring
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced

TIMEOUT_SECONDS = 8
"""Short, so that a function that hangs is found soon."""


class FaultyFunctions:
    """Arms faults; see `tests.support.workflow.faulty_function` for what they are."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self._pipeline = pipeline
        self._folder = folder

    def deploy(self) -> None:
        """Every function of the workflow may go wrong from now on."""
        resources.deploy_functions(self._pipeline.state.aws_url, [self._faulty(f) for f in self._table()])

    def undeploy(self) -> None:
        """The real ones again."""
        resources.deploy_functions(self._pipeline.state.aws_url, self._table())

    def arm(self, function: str, announced: Announced, fault: str) -> None:
        """The next call of this function for this transfer goes wrong."""
        (self._folder / f"{function}.{announced.transfer_id}").write_text(fault)

    def armed(self) -> list[str]:
        """Faults that have not happened."""
        return [path.name for path in self._folder.iterdir() if path.suffix != ".waiting"]

    def is_waiting(self, function: str, announced: Announced) -> bool:
        """Whether a function that was told to wait is at it."""
        return (self._folder / f"{function}.{announced.transfer_id}.waiting").exists()

    def _table(self) -> list[LambdaFunction]:
        state, names = self._pipeline.state, self._pipeline.runtime.names
        addresses = wiring.endpoints(state.aws_url, state.healthimaging_url)
        return wiring.function_table(names, state.database_url, state.datastore_id, addresses)

    def _faulty(self, function: LambdaFunction) -> LambdaFunction:
        if function.handler.split(".")[1] not in WORKFLOW_FUNCTIONS:
            return function
        environment = {
            **function.environment,
            "FAULT_FOLDER": str(self._folder),
            "REAL_HANDLER": function.handler,
        }
        return function.model_copy(
            update={
                "handler": "tests.support.workflow.faulty_function.handler",
                "environment": environment,
                "timeout_seconds": TIMEOUT_SECONDS,
            }
        )
