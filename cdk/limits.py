"""Numbers and names that both the stack and the account's doctor need; nothing of the CDK is imported."""

from __future__ import annotations

from dicom_ingest.contracts.configuration.config import Config

OPERATOR = "operator"
CONNECTIONS = {
    "index_series": 40,
    "acquire_import_slot": 20,
    "start_import": 10,
    "record_image_sets": 20,
    "release_import_slot": 20,
    "record_failure": 10,
    "reclaim_import_slots": 4,
    "audit_uploads": 2,
    OPERATOR: 5,
}
"""CONNECTION LIMIT of each database user; its function's reserved concurrency where reservations are on."""

BOOTSTRAP_VERSION = 6
"""Of the CDK's own stack; a test compares it with what the synthesised stack asks for."""

TRANSITIONS_PER_SERIES = 20
"""State transitions of Step Functions that a series takes, polls of a long import included."""


def reservations(config: Config) -> int:
    """Concurrent executions that the functions reserve together."""
    functions = (limit for name, limit in CONNECTIONS.items() if name != OPERATOR)
    return sum(functions) if config.lambda_reservations else 0


def interface_endpoints(config: Config) -> list[str]:
    """By IAM service prefix; S3 has a gateway. A test compares them with what the functions may call.

    `secretsmanager` is only for the schema and the operator's password, on deploy.
    """
    imaging = ["medical-imaging"] if config.ahli_config.ahli_enabled else []
    return ["states", *imaging, "secretsmanager"]
