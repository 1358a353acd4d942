"""Heartbeats of the edges become a log that can be read and metrics that can alarm; no function is needed."""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.data import Data
from cdk.pipeline.bus import Bus
from cdk.resources.logs import log_group
from cdk.resources.queues import let_events_in
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import wiring

_NUMBERS = {
    "EdgeSpoolInstances": "$.detail.spool_instances",
    "EdgeSpoolBytes": "$.detail.spool_bytes",
    "EdgeDiskFreeBytes": "$.detail.disk_free_bytes",
    "EdgeOldestUnsentSeconds": "$.detail.oldest_unsent_seconds",
    "EdgeFailingSeconds": "$.detail.failing_seconds",
    "EdgeInstancesWithProblem": "$.detail.instances_with_problem",
    "EdgeInstancesMissing": "$.detail.instances_missing_lately",
    "EdgeSilentSenders": "$.detail.silent_senders",
    "EdgeCertificateDaysLeft": "$.detail.certificate_days_left",
    "EdgeHoursUntilFull": "$.detail.hours_until_full",
}
_EVERY = "($.detail.edge = *)"
"""A value or a dimension is taken from the event only where the pattern names it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-logs-metricfilter-metrictransformation.html
"""
_BEAT = f"{_EVERY} && ($.detail.spool_instances = *)"
"""A heartbeat: what the edge holds is in events beside it, in the same log."""
_FULL = '(($.detail.watermark = "slow") || ($.detail.watermark = "refuse"))'


class Heartbeats(Construct):
    """The log of heartbeats and its metrics, one dimension: `edge`."""

    def __init__(self, scope: Construct, config: Config, data: Data, bus: Bus) -> None:
        super().__init__(scope, "heartbeats")
        name = f"/aws/events/{config.cdk_app_name}-heartbeats"
        self.log = log_group(self, "log", name, config, data.key)
        self._deliver(name, bus)
        for metric, value in _NUMBERS.items():
            self._filter(metric, value, f"{_EVERY} && ({value} = *)")
        self._filter("EdgeHeartbeats", "1", _BEAT)
        self._filter("EdgeFailed", "1", f'{_EVERY} && ($.detail.state = "failed")')
        self._filter("EdgeDiskFilling", "1", f"{_EVERY} && {_FULL}")

    def metric(self, name: str, edge: str, statistic: str = "Maximum") -> cloudwatch.Metric:
        """A metric of one edge."""
        return cloudwatch.Metric(
            namespace=wiring.METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={"edge": edge},
            statistic=statistic,
            label=edge,
        )

    def _filter(self, metric: str, value: str, pattern: str) -> None:
        logs.MetricFilter(
            self,
            metric,
            log_group=self.log,
            filter_pattern=logs.FilterPattern.literal(f"{{ {pattern} }}"),
            metric_namespace=wiring.METRICS_NAMESPACE,
            metric_name=metric,
            metric_value=value,
            dimensions={"edge": "$.detail.edge"},
        )

    def _deliver(self, name: str, bus: Bus) -> None:
        """By hand: the CDK's target would bring a custom resource for the log's policy."""
        arn = Stack.of(self).format_arn(
            service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"{arn}:*",
        }
        document = Stack.of(self).to_json_string({"Version": "2012-10-17", "Statement": [allowed]})
        policy = logs.CfnResourcePolicy(
            self, "policy", policy_name=name.strip("/").replace("/", "-"), policy_document=document
        )
        rule = events.CfnRule(
            self,
            "rule",
            event_bus_name=bus.bus.event_bus_name,
            event_pattern=wiring.HEARTBEAT_PATTERN,
            targets=[
                events.CfnRule.TargetProperty(
                    id="log",
                    arn=arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=bus.undelivered.queue_arn),
                )
            ],
        )
        rule.node.add_dependency(policy, self.log)
        let_events_in(bus.undelivered, rule.attr_arn)
