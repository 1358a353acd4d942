"""When a person should look: one topic, and one alarm for each problem that does not fix itself."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk.observability.metrics import Metrics
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.configuration.edges import EdgeConfig

ATTENTION = ("FAILED", "PARTIAL", "NON_PRIMARY", "UNKNOWN")
"""Outcomes that a person should look at (docs/architecture.md, "Outcomes")."""
OLDEST_WAITER_HOURS = 6
OLDEST_GRANT_MINUTES = 15
OLDEST_IMPORT_HOURS = 6
HEARTBEATS_MISSED = 3
UPKEEP_ERRORS = 3
"""Within an hour: the first attempt and both retries of one event."""
FAILING_SECONDS = 600
BACKLOG_SECONDS = 6 * 3600
"""Longer than any series stays open."""
CERTIFICATE_DAYS = 30
"""A hospital's authority takes its time."""
_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Alarms(Construct):
    """The topic and its alarms."""

    def __init__(self, scope: Construct, config: Config, key: kms.IKey, metrics: Metrics) -> None:
        super().__init__(scope, "alarms")
        self.topic = sns.Topic(self, "topic", master_key=key, enforce_ssl=True, display_name="dicom-ingest")
        self._let_alarms_in()
        for address in config.alarm_emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))
        self._action = actions.SnsAction(self.topic)
        self._stack = config.cdk_app_name
        self._of_events(metrics)
        self._of_series(metrics)
        if config.ahli_config.ahli_enabled:
            self._of_imports(metrics)
        for edge in config.edge_config:
            self._of_edge(metrics, config.edge_name(edge.name), edge)

    def _let_alarms_in(self) -> None:
        """A topic with a policy of its own has lost the default one, which let the account's alarms in."""
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )

    def _of_events(self, metrics: Metrics) -> None:
        self._alarm("undelivered-events", metrics.undelivered(), 1, "Events are in the dead-letter queue.")
        self._alarm("failed-upkeep", metrics.failed_upkeep(), 1, "Reclaiming or audit failed.")
        # The dead-letter queue alone would be silent if Lambda could not use it.
        for function, errors in metrics.upkeep_errors().items():
            name = f"{function.replace('_', '-')}-errors"
            self._alarm(name, errors, UPKEEP_ERRORS, f"{function} fails.")
        self._alarm("database-at-its-limit", metrics.database_capacity(), 95, "Raise max_acu_capacity.", 3)

    def _of_series(self, metrics: Metrics) -> None:
        for how, executions in metrics.executions_ended().items():
            self._alarm(f"executions-{how}", executions, 1, "Series did not end well: reprocess them.")
        for outcome in ATTENTION:
            metric = metrics.series_over(outcome)
            self._alarm(f"series-{outcome.lower()}", metric, 1, f"Series ended {outcome}.")
        self._alarm("audit-findings", metrics.audit_findings(), 1, "S3, edges and index disagree.")

    def _of_imports(self, metrics: Metrics) -> None:
        seconds = OLDEST_WAITER_HOURS * 3600
        self._alarm("oldest-waiter", metrics.oldest_waiter(), seconds, "A series waits too long for a slot.")
        minutes, hours = OLDEST_GRANT_MINUTES * 60, OLDEST_IMPORT_HOURS * 3600
        self._alarm("oldest-grant", metrics.oldest_grant(), minutes, "A series has a slot and is not told.")
        self._alarm("oldest-import", metrics.oldest_import(), hours, "An import runs too long.")
        self._alarm(
            "leftovers-troubled", metrics.leftovers_troubled(), 1, "Reclaiming cannot settle something.", 3
        )
        self._alarm(
            "gate-closed", metrics.gate_closed(), 1, "The data store refuses imports: role, key, store."
        )
        self._alarm("out-of-order", metrics.out_of_order(), 1, "An earlier transfer never came.")
        self._alarm(
            "tickets-stranded", metrics.tickets_stranded(), 1, "Series wait for a data store that is gone."
        )
        self._alarm("slots-reclaimed", metrics.slots_reclaimed(), 1, "Slots were left behind and freed.")

    def _of_edge(self, metrics: Metrics, edge: str, config: EdgeConfig) -> None:
        self._alarm(
            f"{edge}-silent",
            metrics.heartbeats(edge),
            1,
            "No heartbeat: the edge, its network or its certificate.",
            HEARTBEATS_MISSED,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._alarm(
            f"{edge}-disk", metrics.disk_filling(edge), 1, "The spool's disk fills: uploads are behind."
        )
        self._alarm(
            f"{edge}-disk-will-be-full",
            metrics.hours_until_full(edge),
            config.full_warning_hours,
            "The spool's disk will be full before the backlog is gone.",
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )
        self._alarm(f"{edge}-failed", metrics.failed(edge), 1, "It does not receive, or a process ended.")
        self._alarm(
            f"{edge}-nothing-gets-out", metrics.failing(edge), FAILING_SECONDS, "No upload or event succeeds."
        )
        self._alarm(
            f"{edge}-backlog",
            metrics.oldest_unsent(edge),
            BACKLOG_SECONDS,
            "Instances wait at the edge too long.",
        )
        self._alarm(f"{edge}-unsendable", metrics.with_problem(edge), 1, "Instances cannot be sent.")
        self._alarm(f"{edge}-missing", metrics.missing(edge), 1, "Series were announced without instances.")
        self._alarm(
            f"{edge}-quiet-sender", metrics.silent_senders(edge), 1, "A sender is quiet against its rhythm."
        )
        self._alarm(
            f"{edge}-certificate",
            metrics.certificate_days_left(edge),
            CERTIFICATE_DAYS,
            "The certificate of its DICOM TLS expires: senders will not connect.",
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        description: str,
        periods: int = 1,
        comparison: cloudwatch.ComparisonOperator = _AT_LEAST,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=name if name.startswith(f"{self._stack}-") else f"{self._stack}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
