"""Saved queries of CloudWatch Logs Insights, below `{stack}/` in its console.

Fields are those of the functions' log lines (dicom_ingest.runtime.step) and of the heartbeats.
A test compares them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.pipeline.functions import Functions
from dicom_ingest.contracts.configuration.config import Config


class Query(NamedTuple):
    """One query; `of`: whose lines it reads."""

    name: str
    of: Literal["functions", "heartbeats"]
    text: str


QUERIES = (
    Query(
        "One series by its correlation id",
        "functions",
        """fields @timestamp, step, message, seconds, outcome, exception_name, @message
| filter correlation_id = "PASTE series_transfer.correlation_id HERE"
| sort @timestamp""",
    ),
    Query(
        "Series that share an import",
        "functions",
        """fields @timestamp, step, message, bundle, outcome, correlation_id
| filter import_id = "PASTE ahlijob.import_id HERE"
| sort @timestamp""",
    ),
    Query(
        "Errors by function",
        "functions",
        """filter level = "ERROR"
| stats count(*) as errors, latest(@timestamp) as last by step, exception_name
| sort errors desc""",
    ),
    Query(
        "Slowest steps",
        "functions",
        """filter message = "step done"
| stats count(*) as runs, avg(seconds) as mean, pct(seconds, 95) as slow, max(seconds) as slowest by step
| sort slow desc""",
    ),
    Query(
        "Steps that failed and were tried again",
        "functions",
        """filter level = "ERROR" and ispresent(correlation_id)
| stats count(*) as failures, latest(exception_name) as error by correlation_id, step
| filter failures > 1
| sort failures desc""",
    ),
    Query(
        "Series that need attention",
        "functions",
        """fields @timestamp, outcome, correlation_id, instances, imported, failed
| filter message = "step done" and outcome in ["FAILED", "PARTIAL", "NON_PRIMARY", "UNKNOWN"]
| sort @timestamp desc""",
    ),
    Query(
        "Instances that are missing in image sets",
        "functions",
        """filter step = "record_image_sets" and outcome in ["FAILED", "PARTIAL"]
| fields @timestamp, correlation_id, outcome, instances - imported as lacking, failed, warned
| filter lacking > 0
| sort lacking desc""",
    ),
    Query(
        "Slots that no execution gave back",
        "functions",
        """fields @timestamp, correlation_id, what, error
| filter message in ["leftover settled", "leftover not settled"]
| sort @timestamp desc""",
    ),
    Query(
        "Refused at the edges, by hour",
        "heartbeats",
        """filter ispresent(detail.edge)
| stats max(detail.instances_refused) - min(detail.instances_refused) as refused,
    max(detail.instances_received) - min(detail.instances_received) as received by detail.edge, bin(1h)""",
    ),
    Query(
        "Senders that fell silent",
        "heartbeats",
        """fields @timestamp, detail.edge, detail.silent_aes.0, detail.silent_aes.1, detail.silent_aes.2
| filter ispresent(detail.silent_aes.0)
| sort @timestamp desc""",
    ),
    Query(
        "Edges as they last reported",
        "heartbeats",
        """filter ispresent(detail.edge)
| stats latest(@timestamp) as heard, latest(detail.version) as version, latest(detail.watermark) as disk,
    latest(detail.spool_instances) as held, latest(detail.oldest_unsent_at) as oldest,
    latest(detail.certificate_expires_at) as certificate by detail.edge""",
    ),
)


class Queries(Construct):
    """All of QUERIES, each over its log groups."""

    def __init__(
        self, scope: Construct, config: Config, functions: Functions, heartbeats: logs.ILogGroup
    ) -> None:
        super().__init__(scope, "queries")
        groups = {
            "functions": [function.log_group.log_group_name for function in functions.by_name.values()],
            "heartbeats": [heartbeats.log_group_name],
        }
        for number, query in enumerate(QUERIES, start=1):
            logs.CfnQueryDefinition(
                self,
                f"{number:02}",
                name=f"{config.cdk_app_name}/{query.name}",
                query_string=query.text,
                log_group_names=groups[query.of],
            )
