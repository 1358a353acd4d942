"""What runs beside the workflow: reclaiming of slots, the daily audit."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.data import Data
from cdk.pipeline.bus import pattern
from cdk.pipeline.functions import Functions
from cdk.resources.queues import keep_strangers_out, queue
from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import BY_NAME


class Upkeep(Construct):
    """`reclaim_import_slots` by schedule and by status changes, `audit_uploads` by night."""

    def __init__(self, scope: Construct, data: Data, functions: Functions) -> None:
        super().__init__(scope, "upkeep")
        self._failed = functions.failed
        reclaim, audit = functions.by_name["reclaim_import_slots"], functions.by_name["audit_uploads"]
        self._every("reclaim", events.Schedule.rate(Duration.minutes(wiring.RECLAIM_MINUTES)), reclaim)
        self._every("audit", events.Schedule.cron(hour="3", minute="17"), audit)
        self._status_changes(data, functions.state_machine_arn, reclaim)

    def _every(self, id_: str, schedule: events.Schedule, function: lambda_.Function) -> None:
        target = targets.LambdaFunction(function, dead_letter_queue=self._failed)
        events.Rule(self, id_, schedule=schedule, targets=[target])

    def _status_changes(self, data: Data, state_machine_arn: str, reclaim: lambda_.Function) -> None:
        """Events are best effort: they make reclaiming quick, the schedule makes it certain."""
        timeout = BY_NAME["reclaim_import_slots"].timeout_seconds
        changes = queue(
            self,
            "status-changes",
            data.key,
            visibility_timeout=Duration.seconds(6 * timeout),  # AWS's advice for Lambda and SQS
            dead_letter=sqs.DeadLetterQueue(queue=self._failed, max_receive_count=5),
        )
        keep_strangers_out(changes)
        patterns = {"executions": wiring.execution_status_pattern(state_machine_arn)}
        if data.image_store:
            patterns["imports"] = wiring.import_status_pattern(data.image_store.datastore_id)
        for id_, of in patterns.items():
            target = targets.SqsQueue(changes, dead_letter_queue=self._failed)
            events.Rule(self, id_, event_pattern=pattern(of), targets=[target])
        # Not the CDK's event source, which would let the role decrypt whatever our key encrypts.
        # https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaSQSQueueExecutionRole.html
        reading = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        reclaim.add_to_role_policy(iam.PolicyStatement(actions=reading, resources=[changes.queue_arn]))
        lambda_.EventSourceMapping(
            self,
            "status-change-batches",
            target=reclaim,
            event_source_arn=changes.queue_arn,
            batch_size=100,
            max_batching_window=Duration.seconds(20),
            max_concurrency=2,
        )
