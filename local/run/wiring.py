"""What the local runtime and the stack must agree on, taken from the contracts: names and environments.

Only addresses and credentials are the runtime's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import FUNCTIONS, WORKFLOW_FUNCTIONS
from local.aws.lambda_functions import ACCOUNT, REGION, LambdaFunction, function_arn

REPOSITORY = Path(__file__).resolve().parents[2]
DEFINITION = REPOSITORY / "statemachines" / "ingest_series.asl.json"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


class PlaceholderError(ValueError):
    """The state machine names a placeholder that nothing fills, or lacks one that it should have."""


@dataclass(frozen=True)
class Names:
    """The names and ARNs of one stack's resources, as the stack gives them."""

    stack: str

    @property
    def bucket(self) -> str:
        """The one DICOM bucket; in the cloud CloudFormation adds to it."""
        return f"{self.stack}-iepbucketsiepdicombucket"[:63]

    @property
    def bus(self) -> str:
        """The bus that edges announce series on."""
        return wiring.bus_name(self.stack)

    @property
    def archive(self) -> str:
        """The archive of that bus."""
        return wiring.archive_name(self.stack)

    @property
    def rule(self) -> str:
        """The rule from bus to state machine."""
        return wiring.rule_name(self.stack)

    @property
    def bus_arn(self) -> str:
        """The bus's ARN."""
        return f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{self.bus}"

    @property
    def archive_arn(self) -> str:
        """The archive's ARN."""
        return f"arn:aws:events:{REGION}:{ACCOUNT}:archive/{self.archive}"

    @property
    def state_machine_arn(self) -> str:
        """The workflow's ARN."""
        return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{wiring.state_machine_name(self.stack)}"

    @property
    def import_role_arn(self) -> str:
        """The role that HealthImaging would assume."""
        return f"arn:aws:iam::{ACCOUNT}:role/{self.stack}-import"

    def function(self, name: str) -> str:
        """A function's name in Lambda."""
        return wiring.function_name(self.stack, name)

    def queue_arn(self, queue: str) -> str:
        """The ARN of a queue of the runtime's own."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def substitutions(names: Names) -> dict[str, str]:
    """What fills the placeholders of the state machine: each workflow function's ARN."""
    return {name: function_arn(names.function(name)) for name in WORKFLOW_FUNCTIONS}


def definition(text: str, values: Mapping[str, str]) -> str:
    """The state machine with its placeholders filled.

    Raises:
        PlaceholderError: a placeholder without a value, or a value without a placeholder.
    """
    found = set(_PLACEHOLDER.findall(text))
    if found != set(values):
        lacking = ", ".join(sorted(found - set(values))) or "none"
        unused = ", ".join(sorted(set(values) - found)) or "none"
        raise PlaceholderError(
            f"placeholders without a value: {lacking}; values without a placeholder: {unused}"
        )
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def endpoints(aws_url: str, healthimaging_url: str | None = None) -> dict[str, str]:
    """The variables that lead the AWS SDK to this machine instead of to AWS."""
    variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": aws_url, "AWS_EC2_METADATA_DISABLED": "true"}
    if healthimaging_url:
        variables["AWS_ENDPOINT_URL_MEDICAL_IMAGING"] = healthimaging_url
        # 8 of HealthImaging's 18 operations put `runtime-` before the host: 127.0.0.1 has no such name.
        variables["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true"
    return variables


def function_table(
    names: Names, database_url: str, datastore_id: str, addresses: Mapping[str, str]
) -> list[LambdaFunction]:
    """All functions as the local Lambda service takes them. `addresses`: see `endpoints`."""
    values = {
        "STACK": names.stack,
        "DATABASE_URL": database_url,
        "BUCKET": names.bucket,
        "DATASTORE_ID": datastore_id,
        "IMPORT_ROLE_ARN": names.import_role_arn,
        "STATE_MACHINE_ARN": names.state_machine_arn,
    }
    return [
        LambdaFunction(
            name=names.function(spec.name),
            handler=spec.handler,
            environment={**addresses, **wiring.function_environment(spec, values)},
            timeout_seconds=spec.timeout_seconds,
            memory_mb=spec.memory_mb,
        )
        for spec in FUNCTIONS
    ]
