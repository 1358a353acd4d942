"""Every alarm watches what it is named for: a new one has to be written into the table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest

from dicom_ingest.contracts.messages.events import EdgeHeartbeat
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template

WAITING_IN = "AWS/SQS ApproximateNumberOfMessagesVisible QueueName"
STACK = {
    # Dead letters stay visible until a person has dealt with them.
    "undelivered-events": f"{WAITING_IN}=<pipeline/bus/undelivered.QueueName>"
    " | Maximum of 300 s >= 1, 1 time, else notBreaching",
    "failed-upkeep": f"{WAITING_IN}=<pipeline/functions/failed.QueueName>"
    " | Maximum of 300 s >= 1, 1 time, else notBreaching",
    # Three in an hour: one event and both of Lambda's retries.
    "reclaim-import-slots-errors": "AWS/Lambda Errors FunctionName=<pipeline/functions/reclaim_import_slots>"
    " | Sum of 3600 s >= 3, 1 time, else notBreaching",
    "audit-uploads-errors": "AWS/Lambda Errors FunctionName=<pipeline/functions/audit_uploads>"
    " | Sum of 3600 s >= 3, 1 time, else notBreaching",
    "database-at-its-limit": "AWS/RDS ACUUtilization DBClusterIdentifier=<data/database/cluster>"
    " | Average of 300 s >= 95, 3 times, else notBreaching",
    "executions-failed": "AWS/States ExecutionsFailed StateMachineArn=<pipeline/workflow/ingest_series>"
    " | Sum of 300 s >= 1, 1 time, else notBreaching",
    "executions-timed-out": "AWS/States ExecutionsTimedOut StateMachineArn=<pipeline/workflow/ingest_series>"
    " | Sum of 300 s >= 1, 1 time, else notBreaching",
    "executions-aborted": "AWS/States ExecutionsAborted StateMachineArn=<pipeline/workflow/ingest_series>"
    " | Sum of 300 s >= 1, 1 time, else notBreaching",
    **{
        f"series-{outcome.lower()}": f"DicomIngest SeriesOver outcome={outcome} stack={{stack}}"
        " | Sum of 300 s >= 1, 1 time, else notBreaching"
        for outcome in ("FAILED", "PARTIAL", "NON_PRIMARY", "UNKNOWN")
    },
    "audit-findings": "DicomIngest AuditFindings stack={stack}"
    " | Sum of 300 s >= 1, 1 time, else notBreaching",
}
IMPORTS = {
    # Six hours.
    "oldest-waiter": "DicomIngest OldestWaiterSeconds stack={stack}"
    " | Maximum of 300 s >= 21600, 1 time, else notBreaching",
    # A quarter of an hour; reclaim_import_slots delivers again every two minutes.
    "oldest-grant": "DicomIngest OldestUndeliveredSeconds stack={stack}"
    " | Maximum of 300 s >= 900, 1 time, else notBreaching",
    # Six hours: HealthImaging takes minutes.
    "oldest-import": "DicomIngest OldestImportSeconds stack={stack}"
    " | Maximum of 300 s >= 21600, 1 time, else notBreaching",
    "leftovers-troubled": "DicomIngest LeftoversTroubled stack={stack}"
    " | Maximum of 300 s >= 1, 3 times, else notBreaching",
    "gate-closed": "DicomIngest GateClosed stack={stack} | Maximum of 300 s >= 1, 1 time, else notBreaching",
    "out-of-order": "DicomIngest OutOfOrder stack={stack} | Maximum of 300 s >= 1, 1 time, else notBreaching",
    "tickets-stranded": "DicomIngest TicketsStranded stack={stack}"
    " | Maximum of 300 s >= 1, 1 time, else notBreaching",
    "slots-reclaimed": "DicomIngest SlotsReclaimed stack={stack}"
    " | Sum of 300 s >= 1, 1 time, else notBreaching",
}
EDGE = {
    # An edge sends a heartbeat every five minutes; one that sends none has no data at all.
    "silent": "DicomIngest EdgeHeartbeats edge={edge} | Sum of 300 s < 1, 3 times, else breaching",
    "disk": "DicomIngest EdgeDiskFilling edge={edge} | Sum of 300 s >= 1, 1 time, else notBreaching",
    "failed": "DicomIngest EdgeFailed edge={edge} | Sum of 300 s >= 1, 1 time, else notBreaching",
    # Ten minutes.
    "nothing-gets-out": "DicomIngest EdgeFailingSeconds edge={edge}"
    " | Maximum of 300 s >= 600, 1 time, else notBreaching",
    # Six hours.
    "backlog": "DicomIngest EdgeOldestUnsentSeconds edge={edge}"
    " | Maximum of 300 s >= 21600, 1 time, else notBreaching",
    "unsendable": "DicomIngest EdgeInstancesWithProblem edge={edge}"
    " | Maximum of 300 s >= 1, 1 time, else notBreaching",
    "missing": "DicomIngest EdgeInstancesMissing edge={edge}"
    " | Maximum of 300 s >= 1, 1 time, else notBreaching",
    "quiet-sender": "DicomIngest EdgeSilentSenders edge={edge}"
    " | Maximum of 300 s >= 1, 1 time, else notBreaching",
    # `full_warning_hours` of the edge; a day for the edge of the variant that says so.
    "disk-will-be-full": "DicomIngest EdgeHoursUntilFull edge={edge}"
    " | Minimum of 300 s < {hours}, 1 time, else notBreaching",
    "certificate": "DicomIngest EdgeCertificateDaysLeft edge={edge}"
    " | Minimum of 300 s < 30, 1 time, else notBreaching",
}
COMPARISONS = {"GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<"}


def _watched(template: Template, alarm: dict[str, Any]) -> str:
    """What an alarm watches, in the table's words."""
    if "Metrics" in alarm:
        (one,) = alarm["Metrics"]
        stat = one["MetricStat"]
        metric, period, statistic = stat["Metric"], stat["Period"], stat["Stat"]
    else:
        metric, period, statistic = alarm, alarm["Period"], alarm["Statistic"]
    dimensions = sorted(f"{d['Name']}={template.text(d['Value'])}" for d in metric["Dimensions"])
    times = alarm["EvaluationPeriods"]
    return (
        f"{metric['Namespace']} {metric['MetricName']} {' '.join(dimensions)} | {statistic} of {period} s "
        f"{COMPARISONS[alarm['ComparisonOperator']]} {alarm['Threshold']}, {times} time{'s' * (times > 1)}, "
        f"else {alarm['TreatMissingData']}"
    )


@pytest.mark.parametrize(
    ("variant", "stack", "edges"),
    [
        ("default", "dicom-ingest", ["dicom-ingest-edge1"]),
        ("edges", "clinic", ["clinic-edge1", "clinic-edge10", "clinic-cloud"]),
        ("no-import", "dicom-ingest", ["dicom-ingest-edge1"]),
    ],
)
def test_every_alarm_watches_what_it_is_for(
    variant: str, stack: str, edges: list[str], template: Callable[[str], Template]
) -> None:
    expected = {f"{stack}-{name}": watched for name, watched in STACK.items()}
    if variant != "no-import":
        expected |= {f"{stack}-{name}": watched for name, watched in IMPORTS.items()}
    for edge in edges:
        hours = "24" if edge == "clinic-edge1" else "12"
        expected |= {
            f"{edge}-{name}": watched.replace("{edge}", edge).replace("{hours}", hours)
            for name, watched in EDGE.items()
        }
    expected = {name: watched.replace("{stack}", stack) for name, watched in expected.items()}
    alarms = template(variant).resources("AWS::CloudWatch::Alarm").values()
    found = {a["Properties"]["AlarmName"]: _watched(template(variant), a["Properties"]) for a in alarms}
    assert found == expected


# --- the metrics that are made of heartbeats --------------------------------------------------------------
def _any(_: dict[str, Any]) -> bool:
    return True


FILTERS: dict[str, tuple[Callable[[dict[str, Any]], bool], str]] = {
    # metric: (which heartbeats count, what is taken from them)
    "EdgeHeartbeats": (_any, "1"),
    "EdgeDiskFilling": (lambda beat: beat["watermark"] in ("slow", "refuse"), "1"),
    "EdgeSpoolInstances": (_any, "$.detail.spool_instances"),
    "EdgeSpoolBytes": (_any, "$.detail.spool_bytes"),
    "EdgeDiskFreeBytes": (_any, "$.detail.disk_free_bytes"),
    "EdgeFailed": (lambda beat: beat.get("state") == "failed", "1"),
    **{
        metric: (lambda beat, field=field: field in beat, f"$.detail.{field}")  # type: ignore[misc]
        for metric, field in {
            "EdgeOldestUnsentSeconds": "oldest_unsent_seconds",
            "EdgeFailingSeconds": "failing_seconds",
            "EdgeInstancesWithProblem": "instances_with_problem",
            "EdgeInstancesMissing": "instances_missing_lately",
        }.items()
    },
    "EdgeSilentSenders": (lambda beat: "silent_senders" in beat, "$.detail.silent_senders"),
    "EdgeCertificateDaysLeft": (
        lambda beat: beat.get("certificate_days_left") is not None,
        "$.detail.certificate_days_left",
    ),
    "EdgeHoursUntilFull": (
        lambda beat: beat.get("hours_until_full") is not None,
        "$.detail.hours_until_full",
    ),
}
WATERMARKS = get_args(EdgeHeartbeat.model_fields["watermark"].annotation)


def _matches(pattern: str, event: dict[str, Any]) -> bool:
    """CloudWatch's pattern for JSON, as far as the stack uses it: `=`, `&&`, `||`, parentheses.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """

    def holds(found: re.Match[str]) -> str:
        value: Any = event
        for part in found[1].split("."):
            value = value.get(part) if isinstance(value, dict) else None
        wanted = found[2].strip('"')
        return str(value is not None and (wanted == "*" or str(value) == wanted))

    text = re.sub(r"\$\.([\w.]+) = (\"\w+\"|\*)", holds, pattern.strip("{} "))
    text = text.replace("&&", "and").replace("||", "or")
    assert re.fullmatch(r"(True|False|and|or|[() ])+", text), f"unknown syntax in {pattern}"
    return bool(eval(text))


def _heartbeats() -> list[dict[str, Any]]:
    samples = [json.loads(path.read_text()) for path in (ROOT / "tests/events").glob("edge_heartbeat*.json")]
    return [
        {**sample, "detail": {**sample["detail"], "watermark": watermark}}
        for sample in samples
        for watermark in WATERMARKS
    ]


def test_what_an_edge_holds_counts_as_no_heartbeat(default: Template) -> None:
    held = json.loads((ROOT / "tests/events/edge_holdings.v1.json").read_text())
    for path, one in default.resources("AWS::Logs::MetricFilter").items():
        assert not _matches(one["Properties"]["FilterPattern"], held), path


def test_every_metric_is_made_of_the_heartbeats_that_it_is_for(default: Template) -> None:
    filters = {
        f["Properties"]["MetricTransformations"][0]["MetricName"]: f["Properties"]
        for f in default.resources("AWS::Logs::MetricFilter").values()
    }
    assert filters.keys() == FILTERS.keys()
    assert set(WATERMARKS) >= {"normal", "slow", "refuse"}
    for metric, (counts, value) in FILTERS.items():
        properties = filters[metric]
        (made,) = properties["MetricTransformations"]
        assert (made["MetricValue"], made["Dimensions"]) == (
            value,
            [{"Key": "edge", "Value": "$.detail.edge"}],
        )
        assert default.text(properties["LogGroupName"]) == "<observability/metrics/heartbeats/log>"
        for event in _heartbeats():
            matched = _matches(properties["FilterPattern"], event)
            assert matched is counts(event["detail"]), (metric, event["detail"]["watermark"])
