"""What joins the pieces: names, event patterns, environments; read by the stack and the local runtime.

Patterns are EventBridge's own: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicom_ingest.contracts.messages.events import EDGE_HEARTBEAT, EDGE_HOLDINGS, EDGE_SOURCE, SERIES_COMPLETE
from dicom_ingest.contracts.platform.functions import FunctionSpec

SERIES_COMPLETE_PATTERN: dict[str, Any] = {"source": [EDGE_SOURCE], "detail-type": [SERIES_COMPLETE]}
"""Of the rule that starts an execution with the whole event, and of the archive."""

HEARTBEAT_PATTERN: dict[str, Any] = {
    "source": [EDGE_SOURCE],
    "detail-type": [EDGE_HEARTBEAT, EDGE_HOLDINGS],
}
"""Of the rule that writes the log of heartbeats."""

METRICS_NAMESPACE = "DicomIngest"
SERIES_OVER = "SeriesOver"
"""Count, by `stack` and `outcome`. The metrics below have the one dimension `stack`."""
IMPORTS_STARTED = "ImportsStarted"
SERIES_STARTED = "SeriesStarted"
"""Series of the started imports: more than imports where series share one."""
SERIES_WAITING = "SeriesWaiting"
OLDEST_WAITER_SECONDS = "OldestWaiterSeconds"
SLOTS_HELD = "SlotsHeld"
GATE_CLOSED = "GateClosed"
"""1 while a data store's gate is closed, else 0."""
OUT_OF_ORDER = "OutOfOrder"
"""Imports granted within the last hour although an earlier transfer of their instances never came."""
TICKETS_STRANDED = "TicketsStranded"
"""Tickets that wait for a data store that has been replaced."""
OLDEST_UNDELIVERED_SECONDS = "OldestUndeliveredSeconds"
"""Since when an execution has a slot and has not been told."""
OLDEST_IMPORT_SECONDS = "OldestImportSeconds"
LEFTOVERS_TROUBLED = "LeftoversTroubled"
"""What the last pass of reclaim_import_slots could not settle."""
SLOTS_RECLAIMED = "SlotsReclaimed"
AUDIT_FINDINGS = "AuditFindings"

RECLAIM_MINUTES = 2
"""How often `reclaim_import_slots` looks without being told of a change."""


def execution_status_pattern(state_machine_arn: str) -> dict[str, Any]:
    """Executions that ended without giving their slot back (default bus, best effort)."""
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [state_machine_arn],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    }


def import_status_pattern(datastore_id: str) -> dict[str, Any]:
    """Imports that ended (default bus, best effort)."""
    return {
        "source": ["aws.medical-imaging"],
        "detail-type": ["Import Job Completed", "Import Job Failed"],
        "detail": {"datastoreId": [datastore_id]},
    }


def bus_name(stack: str) -> str:
    """The bus that edges announce series on."""
    return f"{stack}-events"


def archive_name(stack: str) -> str:
    """The archive of *Series Complete*, at most 48 characters (EventBridge)."""
    return f"{stack}-series"


def rule_name(stack: str) -> str:
    """The rule from bus to state machine; a replay may be limited to it."""
    return f"{stack}-series-complete"


def state_machine_name(stack: str) -> str:
    """The workflow as the Step Functions console shows it."""
    return f"{stack}-ingest-series"


def function_name(stack: str, function: str) -> str:
    """A Lambda function as the console shows it."""
    return f"{stack}-{function}"


def iam_database_url(endpoint: str, database: str, function: str) -> str:
    """Sign in with IAM as the function's own database user; the server's certificate is checked."""
    return f"postgresql://{function}@{endpoint}:5432/{database}?auth=iam&sslmode=verify-full"


def secret_database_url(endpoint: str, database: str, secret_arn: str) -> str:
    """Sign in as the user of a Secrets Manager secret; the server's certificate is checked."""
    return f"postgresql://@{endpoint}:5432/{database}?auth=secret&secret_arn={secret_arn}&sslmode=verify-full"


def function_environment(spec: FunctionSpec, values: Mapping[str, str]) -> dict[str, str]:
    """A function's environment: what its spec names, and Powertools' own.

    Raises:
        KeyError: `values` lacks a variable that the function reads.
    """
    return {
        **{name: values[name] for name in spec.environment},
        "POWERTOOLS_SERVICE_NAME": spec.name,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "LOG_LEVEL": "INFO",
    }
