"""The metrics that dashboard and alarms look at: AWS's own, the functions' and the edges'."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk.data import Data
from cdk.observability.heartbeats import Heartbeats
from cdk.pipeline import Pipeline
from cdk.pipeline.functions import SCHEDULED
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import wiring

PERIOD = Duration.minutes(5)


class Metrics(Construct):
    """Each metric under one name."""

    def __init__(self, scope: Construct, config: Config, data: Data, pipeline: Pipeline) -> None:
        super().__init__(scope, "metrics")
        self._stack = config.cdk_app_name
        self._data = data
        self._pipeline = pipeline
        self._heartbeats = Heartbeats(self, config, data, pipeline.bus)
        self.heartbeat_log = self._heartbeats.log

    def announced(self) -> cloudwatch.Metric:
        """Series Complete events that matched the rule."""
        dimensions = {
            "EventBusName": wiring.bus_name(self._stack),
            "RuleName": wiring.rule_name(self._stack),
        }
        return self._aws("AWS/Events", "MatchedEvents", dimensions, "Sum", "announced")

    def executions_started(self) -> cloudwatch.Metric:
        """Executions started."""
        return self._pipeline.workflow.state_machine.metric_started(period=PERIOD, label="started")

    def executions_ended(self) -> dict[str, cloudwatch.Metric]:
        """Executions that ended in any way but well, by how.

        No sum: where one of the terms has no data, CloudWatch has none for the sum either.
        """
        machine = self._pipeline.workflow.state_machine
        return {
            "failed": machine.metric_failed(period=PERIOD, label="failed"),
            "timed-out": machine.metric_timed_out(period=PERIOD, label="timed out"),
            "aborted": machine.metric_aborted(period=PERIOD, label="aborted"),
        }

    def series_over(self, outcome: str) -> cloudwatch.Metric:
        """Series transfers that ended with this outcome."""
        return self._own(wiring.SERIES_OVER, "Sum", outcome=outcome)

    def starts(self) -> list[cloudwatch.IMetric]:
        """Imports that were started, and the series in them."""
        return [self._own(wiring.IMPORTS_STARTED, "Sum"), self._own(wiring.SERIES_STARTED, "Sum")]

    def series_per_start(self) -> cloudwatch.MathExpression:
        """1 where every series has an import of its own."""
        imports, series = self.starts()
        return cloudwatch.MathExpression(
            expression="series / imports",
            using_metrics={"series": series, "imports": imports},
            label="series per start",
            period=PERIOD,
        )

    def waiting(self) -> cloudwatch.Metric:
        """Series transfers that wait for a slot."""
        return self._own(wiring.SERIES_WAITING)

    def slots_held(self) -> cloudwatch.Metric:
        """Slots in use."""
        return self._own(wiring.SLOTS_HELD)

    def oldest_waiter(self) -> cloudwatch.Metric:
        """Seconds that the first in the queue has waited."""
        return self._own(wiring.OLDEST_WAITER_SECONDS)

    def oldest_grant(self) -> cloudwatch.Metric:
        """Seconds since an execution got a slot of which it has not been told."""
        return self._own(wiring.OLDEST_UNDELIVERED_SECONDS)

    def oldest_import(self) -> cloudwatch.Metric:
        """Seconds since the oldest running import was started."""
        return self._own(wiring.OLDEST_IMPORT_SECONDS)

    def leftovers_troubled(self) -> cloudwatch.Metric:
        """What reclaim_import_slots could not settle."""
        return self._own(wiring.LEFTOVERS_TROUBLED)

    def gate_closed(self) -> cloudwatch.Metric:
        """1 while a data store refuses imports as a whole."""
        return self._own(wiring.GATE_CLOSED)

    def out_of_order(self) -> cloudwatch.Metric:
        """Imports granted although an earlier transfer of their instances never came."""
        return self._own(wiring.OUT_OF_ORDER)

    def tickets_stranded(self) -> cloudwatch.Metric:
        """Tickets that wait for a data store that has been replaced."""
        return self._own(wiring.TICKETS_STRANDED)

    def slots_reclaimed(self) -> cloudwatch.Metric:
        """Slots that no execution gave back."""
        return self._own(wiring.SLOTS_RECLAIMED, "Sum")

    def audit_findings(self) -> cloudwatch.Metric:
        """Differences that the audit found."""
        return self._own(wiring.AUDIT_FINDINGS, "Sum")

    def undelivered(self) -> cloudwatch.Metric:
        """Events that EventBridge could not deliver."""
        queue = self._pipeline.bus.undelivered
        return queue.metric_approximate_number_of_messages_visible(period=PERIOD, label="undelivered events")

    def failed_upkeep(self) -> cloudwatch.Metric:
        """Invocations of the upkeep that failed for good."""
        queue = self._pipeline.functions.failed
        return queue.metric_approximate_number_of_messages_visible(period=PERIOD, label="failed upkeep")

    def upkeep_errors(self) -> dict[str, cloudwatch.Metric]:
        """Invocations of each function of the upkeep that failed, retries among them, by function."""
        return {
            name: self._pipeline.functions.by_name[name].metric_errors(period=Duration.hours(1), label=name)
            for name in SCHEDULED
        }

    def database_capacity(self) -> cloudwatch.Metric:
        """Percent of the largest capacity that is allowed."""
        return self._data.database.cluster.metric_acu_utilization(period=PERIOD, statistic="Average")

    def database_units(self) -> cloudwatch.Metric:
        """Aurora capacity units: what the database costs."""
        return self._data.database.cluster.metric_serverless_database_capacity(period=PERIOD)

    def database_connections(self) -> cloudwatch.Metric:
        """Open connections; Aurora sleeps at none."""
        return self._data.database.cluster.metric_database_connections(period=PERIOD, statistic="Maximum")

    def bucket_bytes(self) -> cloudwatch.Metric:
        """What the bucket holds, once a day."""
        dimensions = {"BucketName": self._data.bucket.bucket_name, "StorageType": "StandardStorage"}
        return self._aws("AWS/S3", "BucketSizeBytes", dimensions, "Maximum", "bytes", Duration.days(1))

    def heartbeats(self, edge: str) -> cloudwatch.Metric:
        """Heartbeats of one edge; it sends one every five minutes."""
        return self._heartbeats.metric("EdgeHeartbeats", edge, "Sum")

    def spool_instances(self, edge: str) -> cloudwatch.Metric:
        """Instances that one edge has not uploaded yet."""
        return self._heartbeats.metric("EdgeSpoolInstances", edge)

    def disk_free(self, edge: str) -> cloudwatch.Metric:
        """Free bytes of one edge's spool."""
        return self._heartbeats.metric("EdgeDiskFreeBytes", edge, "Minimum")

    def disk_filling(self, edge: str) -> cloudwatch.Metric:
        """Heartbeats of one edge above the slow watermark."""
        return self._heartbeats.metric("EdgeDiskFilling", edge, "Sum")

    def oldest_unsent(self, edge: str) -> cloudwatch.Metric:
        """Seconds since one edge received the oldest instance that is not announced."""
        return self._heartbeats.metric("EdgeOldestUnsentSeconds", edge)

    def failing(self, edge: str) -> cloudwatch.Metric:
        """Seconds for which one edge has got nothing out one of its ways."""
        return self._heartbeats.metric("EdgeFailingSeconds", edge)

    def with_problem(self, edge: str) -> cloudwatch.Metric:
        """Instances at one edge that cannot be sent."""
        return self._heartbeats.metric("EdgeInstancesWithProblem", edge)

    def missing(self, edge: str) -> cloudwatch.Metric:
        """Instances that one edge announced as missing within a day."""
        return self._heartbeats.metric("EdgeInstancesMissing", edge)

    def failed(self, edge: str) -> cloudwatch.Metric:
        """Heartbeats of one edge that does not receive, or whose processes do not run."""
        return self._heartbeats.metric("EdgeFailed", edge, "Sum")

    def silent_senders(self, edge: str) -> cloudwatch.Metric:
        """Application entities that one edge misses, by their own rhythm."""
        return self._heartbeats.metric("EdgeSilentSenders", edge)

    def certificate_days_left(self, edge: str) -> cloudwatch.Metric:
        """Days until the certificate of one edge's DICOM TLS expires; nothing where it has none."""
        return self._heartbeats.metric("EdgeCertificateDaysLeft", edge, "Minimum")

    def hours_until_full(self, edge: str) -> cloudwatch.Metric:
        """Hours until one edge's disk is full; nothing where its backlog is gone before."""
        return self._heartbeats.metric("EdgeHoursUntilFull", edge, "Minimum")

    def _own(self, name: str, statistic: str = "Maximum", **more: str) -> cloudwatch.Metric:
        dimensions = {"stack": self._stack, **more}
        label = next(iter(more.values()), name)
        return self._aws(wiring.METRICS_NAMESPACE, name, dimensions, statistic, label)

    def _aws(
        self,
        namespace: str,
        name: str,
        dimensions: dict[str, str],
        statistic: str,
        label: str,
        period: Duration = PERIOD,
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map=dimensions,
            statistic=statistic,
            label=label,
            period=period,
        )
