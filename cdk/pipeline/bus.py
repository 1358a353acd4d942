"""The event bus of the edges: what is archived, what starts the workflow, and where the rest lies."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.data import Data
from cdk.resources.queues import dead_letter_queue, let_events_in
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import wiring


class Bus(Construct):
    """Bus, archive of *Series Complete*, and the rule from the one to the state machine."""

    def __init__(self, scope: Construct, config: Config, data: Data, state_machine: sfn.StateMachine) -> None:
        super().__init__(scope, "bus")
        stack = config.cdk_app_name
        self.undelivered = dead_letter_queue(self, "undelivered", data.key)
        self.bus = events.EventBus(
            self,
            "bus",
            event_bus_name=wiring.bus_name(stack),
            kms_key=data.key,
            dead_letter_queue=self.undelivered,
        )
        # What the bus cannot encrypt or decrypt goes there, too.
        let_events_in(self.undelivered, self.bus.event_bus_arn)
        self.archive = events.Archive(
            self,
            "archive",
            archive_name=wiring.archive_name(stack),
            source_event_bus=self.bus,
            event_pattern=pattern(wiring.SERIES_COMPLETE_PATTERN),
            retention=Duration.days(config.archive_retention_days),
            kms_key=data.key,
        )
        self.rule = events.Rule(
            self,
            "series-complete",
            rule_name=wiring.rule_name(stack),
            description="Starts an execution with the whole event",
            event_bus=self.bus,
            event_pattern=pattern(wiring.SERIES_COMPLETE_PATTERN),
            targets=[
                targets.SfnStateMachine(
                    state_machine,
                    role=self._role(data, state_machine),
                    dead_letter_queue=self.undelivered,
                    max_event_age=Duration.hours(24),
                    retry_attempts=185,
                )
            ],
        )

    def _role(self, data: Data, state_machine: sfn.StateMachine) -> iam.Role:
        """May start executions, whose input is encrypted with our key."""
        role = iam.Role(self, "role", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
        state_machine.grant_start_execution(role)
        via = {"StringEquals": {"kms:ViaService": f"states.{Stack.of(self).region}.amazonaws.com"}}
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[data.key.key_arn], conditions=via))
        return role


def pattern(of: dict[str, Any]) -> events.EventPattern:
    """An EventBridge pattern as the CDK spells it."""
    return events.EventPattern(source=of["source"], detail_type=of["detail-type"], detail=of.get("detail"))
