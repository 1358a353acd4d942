"""Every Lambda function: its name, what it is told by its environment, and its limits.

Read by the stack (``cdk``) and by the local runtime, so that both wire the same thing.
State = folder = placeholder in the state machine = construct id = test file: one name.
"""

from __future__ import annotations

from dataclasses import dataclass

DATABASE_SECONDS = 150
"""Time-out of what opens the database: 45 s on a connection that died, 45 s for Aurora to resume, and 45 s
for a statement that is not answered. A call of AWS that is not answered takes less."""
BASE = ("STACK",)
DATABASE = ("DATABASE_URL",)


@dataclass(frozen=True)
class FunctionSpec:
    """One function. `environment`: the variables it reads, without Powertools' own and AWS's."""

    name: str
    environment: tuple[str, ...]
    in_workflow: bool = True
    timeout_seconds: int = DATABASE_SECONDS
    memory_mb: int = 512

    @property
    def opens_database(self) -> bool:
        """Functions that open the database sit in the VPC's isolated subnets."""
        return "DATABASE_URL" in self.environment

    @property
    def handler(self) -> str:
        """The Lambda handler string."""
        return f"functions.{self.name}.handler.handler"


FUNCTIONS = (
    FunctionSpec(
        "index_series",
        (*BASE, *DATABASE, "BUCKET", "DATASTORE_ID"),
        memory_mb=1024,
    ),
    FunctionSpec("acquire_import_slot", (*BASE, *DATABASE, "DATASTORE_ID")),
    FunctionSpec("start_import", (*BASE, *DATABASE, "BUCKET", "DATASTORE_ID", "IMPORT_ROLE_ARN")),
    FunctionSpec("check_import", (*BASE, "DATASTORE_ID"), timeout_seconds=60),
    FunctionSpec("record_image_sets", (*BASE, *DATABASE, "BUCKET", "DATASTORE_ID")),
    FunctionSpec("release_import_slot", (*BASE, *DATABASE, "DATASTORE_ID")),
    FunctionSpec("record_failure", (*BASE, *DATABASE, "DATASTORE_ID")),
    FunctionSpec(
        "reclaim_import_slots",
        (*BASE, *DATABASE, "BUCKET", "DATASTORE_ID", "STATE_MACHINE_ARN"),
        in_workflow=False,
        timeout_seconds=300,
    ),
    FunctionSpec(
        "audit_uploads", (*BASE, *DATABASE, "BUCKET"), in_workflow=False, timeout_seconds=900, memory_mb=1024
    ),
    # Below the 900 s of the function that invokes it for CloudFormation.
    FunctionSpec("migrate_database", (*BASE, *DATABASE), in_workflow=False, timeout_seconds=840),
)
"""All functions. DATASTORE_ID is empty where importing is switched off (`ahli_enabled: false`)."""

BY_NAME = {function.name: function for function in FUNCTIONS}
WORKFLOW_FUNCTIONS = tuple(function.name for function in FUNCTIONS if function.in_workflow)
