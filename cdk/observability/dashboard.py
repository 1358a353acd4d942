"""One page: where the series are, who waits, what the edges say, what it costs."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk.observability.alarms import CERTIFICATE_DAYS
from cdk.observability.metrics import Metrics
from dicom_ingest.contracts.configuration.config import Config

OUTCOMES = ("COMPLETED", "DUPLICATE", "SUPERSEDED", "INDEXED", "NON_PRIMARY", "PARTIAL", "FAILED", "UNKNOWN")


def dashboard(scope: Construct, config: Config, metrics: Metrics) -> cloudwatch.Dashboard:
    """The dashboard `{stack}`."""
    edges = [config.edge_name(edge.name) for edge in config.edge_config]
    capacity = config.ahli_config.ahli_concurrent_imports
    page = cloudwatch.Dashboard(scope, "dashboard", dashboard_name=config.cdk_app_name)
    page.add_widgets(
        _graph(
            "Series in",
            [metrics.announced(), metrics.executions_started(), *metrics.executions_ended().values()],
        ),
        _graph("Series over, by outcome", [metrics.series_over(outcome) for outcome in OUTCOMES]),
        _graph(
            "Waiting for a slot; the oldest of each, in seconds",
            [metrics.waiting()],
            [metrics.oldest_waiter(), metrics.oldest_grant(), metrics.oldest_import()],
        ),
    )
    page.add_widgets(
        _graph("Slots held", [metrics.slots_held()], limit=(capacity, "capacity"), width=6),
        _graph("Starts, and series in them", metrics.starts(), [metrics.series_per_start()], width=6),
        _graph(
            "Gate closed, out of order, stranded, reclaimed",
            [
                metrics.gate_closed(),
                metrics.out_of_order(),
                metrics.tickets_stranded(),
                metrics.slots_reclaimed(),
            ],
            width=6,
        ),
        _graph(
            "Undelivered, failed upkeep, troubled leftovers, audit",
            [
                metrics.undelivered(),
                metrics.failed_upkeep(),
                metrics.leftovers_troubled(),
                metrics.audit_findings(),
            ],
            width=6,
        ),
    )
    page.add_widgets(
        _graph("Edge heartbeats", [metrics.heartbeats(edge) for edge in edges]),
        _graph("Edge spool, instances", [metrics.spool_instances(edge) for edge in edges]),
        _graph("Edge disk, free bytes", [metrics.disk_free(edge) for edge in edges]),
    )
    page.add_widgets(
        _graph("Edge, oldest unsent, seconds", [metrics.oldest_unsent(edge) for edge in edges]),
        _graph("Edge, nothing gets out, seconds", [metrics.failing(edge) for edge in edges]),
        _graph(
            "Edge, instances with a problem, missing",
            [metrics.with_problem(edge) for edge in edges],
            [metrics.missing(edge) for edge in edges],
        ),
    )
    page.add_widgets(
        _graph("Senders that fell silent", [metrics.silent_senders(edge) for edge in edges]),
        _graph("Edge disk, hours until it is full", [metrics.hours_until_full(edge) for edge in edges]),
        _graph(
            "Edge certificates, days left",
            [metrics.certificate_days_left(edge) for edge in edges],
            limit=(CERTIFICATE_DAYS, "alarm"),
        ),
    )
    page.add_widgets(
        _graph("Cost: database capacity units", [metrics.database_units()]),
        _graph("Cost: connections keep the database awake", [metrics.database_connections()]),
        _graph("Cost: bytes in the bucket", [metrics.bucket_bytes()]),
    )
    return page


def _graph(
    title: str,
    left: list[cloudwatch.IMetric],
    right: list[cloudwatch.IMetric] | None = None,
    limit: tuple[int, str] | None = None,
    width: int = 8,
) -> cloudwatch.GraphWidget:
    lines = [cloudwatch.HorizontalAnnotation(value=limit[0], label=limit[1])] if limit else []
    return cloudwatch.GraphWidget(
        title=title, left=left, right=right or [], left_annotations=lines, width=width, height=6
    )
