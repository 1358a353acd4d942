"""What AWS itself calls as a principal of the stack, and what no run can make: each with AWS's page."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_ingest.contracts.platform.functions import FUNCTIONS
from tests.infrastructure.template import Template
from tests.support.iam.calls import BUCKET, BUS, EXECUTION, MACHINE, OTHER_STORE, STORE, Call

ASSETS = "arn:<Partition>:s3:::cdk-hnb659fds-assets-<AccountId>-<Region>"
EVENTS = "events.amazonaws.com"
_IOT = "arn:<Partition>:iot:<Region>:<AccountId>:{}"
_THING = "{stack}-edge1"


def service_calls(template: Template) -> list[Call]:
    """All of them."""
    return [
        *_functions(),
        *_upkeep(),
        *_rules(template),
        *_workflow(),
        *_edge(),
        *_certificate(),
        *_installer(),
        *_others(),
        *(call for _, call in RARE),
    ]


def absences(calls: list[Call]) -> Iterator[Call]:
    """S3 tells a function that an object is absent only if it may list: else it answers 403, not 404.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    functions = {spec.name for spec in FUNCTIONS}
    for call in calls:
        if call.action == "s3:GetObject" and call.principal in functions:
            yield Call(call.principal, "s3:ListBucket", BUCKET)
            key = call.resource.removeprefix(f"{BUCKET}/")
            yield Call(call.principal, "s3:ListBucket", BUCKET, {"s3:prefix": key})


_ALIVE = "dicom_ingest.workflow.executions.is_running"
_GRANTED = "dicom_ingest.workflow.delivery.deliver"
_LOOKED_FOR = "dicom_ingest.healthimaging.imports.find_started"
_AUDITED = "dicom_ingest.upkeep.audit.compare"
RARE = [
    # A token is refused, a start was never answered, a day has ended: no run waits for that. First the
    # function that does it.
    *(
        (_ALIVE, Call(name, "states:DescribeExecution", EXECUTION))
        for name in (
            "index_series",
            "acquire_import_slot",
            "start_import",
            "record_image_sets",
            "release_import_slot",
            "reclaim_import_slots",
        )
    ),
    *(
        (_GRANTED, Call(name, "states:SendTaskSuccess", MACHINE))
        for name in ("index_series", "start_import", "reclaim_import_slots")
    ),
    (
        "dicom_ingest.workflow.delivery.tell_cancelled",
        Call("reclaim_import_slots", "states:SendTaskFailure", MACHINE),
    ),
    *(
        ("dicom_ingest.workflow.executions.start", Call(name, "states:StartExecution", MACHINE))
        for name in ("release_import_slot", "reclaim_import_slots")
    ),
    (
        "dicom_ingest.workflow.executions.anything_to_settle",
        Call("reclaim_import_slots", "states:ListExecutions", MACHINE),
    ),
    (
        "dicom_ingest.healthimaging.imports.is_well",
        Call("reclaim_import_slots", "medical-imaging:GetDatastore", STORE),
    ),
    *(
        (_LOOKED_FOR, Call(name, "medical-imaging:ListDICOMImportJobs", OTHER_STORE))
        for name in ("start_import", "reclaim_import_slots")
    ),
    *(
        (_LOOKED_FOR, Call(name, "s3:ListBucket", BUCKET, {"s3:prefix": "results/{stack}-edge1/…"}))
        for name in ("start_import", "reclaim_import_slots")
    ),
    *(
        (_AUDITED, Call("audit_uploads", "s3:ListBucket", BUCKET, {"s3:prefix": prefix}))
        for prefix in ("manifests/{stack}-edge1/…", "{stack}-edge1/…", "{stack}-")
    ),
]


def _functions() -> Iterator[Call]:
    """Lambda as the function's role: its log, its traces, its network interfaces; a database token.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
    """
    for spec in FUNCTIONS:
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Call(spec.name, f"logs:{action}", f"<pipeline/functions/{spec.name}-log.Arn>")
        for action in ("PutTraceSegments", "PutTelemetryRecords"):
            yield Call(spec.name, f"xray:{action}", "*")
        if spec.opens_database:
            for action in (
                *("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"),
                *("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
            ):
                yield Call(spec.name, f"ec2:{action}", "*")
        if spec.opens_database and spec.name != "migrate_database":
            user = f"dbuser:<data/database/cluster.DBClusterResourceId>/{spec.name}"
            yield Call(spec.name, "rds-db:connect", f"arn:<Partition>:rds-db:<Region>:<AccountId>:{user}")
    for secret in ("secret", "operator"):  # `dicom_ingest.runtime.clients.database_secret`
        yield Call("migrate_database", "secretsmanager:GetSecretValue", f"<data/database/{secret}>")


def _upkeep() -> Iterator[Call]:
    """Lambda's poller of a queue, and its dead letters, as the function's role.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        yield Call("reclaim_import_slots", f"sqs:{action}", "<pipeline/upkeep/status-changes.Arn>")
    for function in ("reclaim_import_slots", "audit_uploads"):
        yield Call(function, "sqs:SendMessage", "<pipeline/functions/failed.Arn>")


def _rules(template: Template) -> Iterator[Call]:
    """EventBridge for every target and every dead-letter queue of every rule and of the bus.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    for path, rule in template.resources("AWS::Events::Rule").items():
        source = {"aws:SourceArn": f"<{path}.Arn>", "aws:SourceAccount": "<AccountId>"}
        for target in rule["Properties"]["Targets"]:
            yield Call(EVENTS, "sqs:SendMessage", template.text(target["DeadLetterConfig"]["Arn"]), source)
            yield from _target(template.text(target["Arn"]), source)
    bus = {"aws:SourceArn": BUS, "aws:SourceAccount": "<AccountId>"}
    yield Call(EVENTS, "sqs:SendMessage", "<pipeline/bus/undelivered.Arn>", bus)


def _target(arn: str, source: dict[str, str]) -> Iterator[Call]:
    if ":log-group:" in arn:
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Call(EVENTS, f"logs:{action}", f"{arn}:*", source)
    elif "functions/" in arn:
        yield Call(EVENTS, "lambda:InvokeFunction", arn, source)
    elif arn == "<pipeline/workflow/ingest_series>":
        yield Call("bus", "states:StartExecution", MACHINE)
    else:
        yield Call(EVENTS, "sqs:SendMessage", arn, source)


def _workflow() -> Iterator[Call]:
    """Step Functions' own log and traces.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html
    """
    for action in (
        *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery"),
        *("ListLogDeliveries", "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
    ):
        yield Call("workflow", f"logs:{action}", "*")
    for action in ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets"):
        yield Call("workflow", f"xray:{action}", "*")
    # Every state's function: runs do not reach record_failure every time.
    yield Call("workflow", "lambda:InvokeFunction", "<pipeline/functions/record_failure.Arn>")


def _edge() -> Iterator[Call]:
    """The nucleus that fetches the artifact, and uploads in parts (`edge_component.sending.objects`).

    https://docs.aws.amazon.com/greengrass/v2/developerguide/device-service-role.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    """
    yield Call("edge", "s3:GetBucketLocation", ASSETS)
    yield Call("edge", "s3:GetObject", f"{ASSETS}/{{stack}}/….zip")
    yield Call(
        "edge",
        "kms:Decrypt",
        "arn:<Partition>:kms:<Region>:<AccountId>:key/of-the-bootstrap",
        {"kms:ViaService": "s3.<Region>.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": ASSETS},
    )
    whole = f"{BUCKET}/{_THING}/…"
    yield Call("edge", "s3:ListMultipartUploadParts", whole)
    # Its parts are no creation of an object; the request that completes it says If-None-Match.
    yield Call("edge", "s3:PutObject", whole, {"s3:ObjectCreationOperation": "false"})


def _certificate() -> Iterator[Call]:
    """The nucleus with the device's certificate.

    https://docs.aws.amazon.com/greengrass/v2/developerguide/device-auth.html#greengrass-core-minimal-iot-policy
    """
    for client in (_THING, f"{_THING}#2"):
        yield Call("edge-certificate", "iot:Connect", _IOT.format(f"client/{client}"))
    for part in ("jobs", "shadow"):
        topic = f"$aws/things/{_THING}/{part}/…"
        for action in ("Publish", "Receive"):
            yield Call("edge-certificate", f"iot:{action}", _IOT.format(f"topic/{topic}"))
        yield Call("edge-certificate", "iot:Subscribe", _IOT.format(f"topicfilter/{topic}"))
    for version in ("greengrass", "greengrassv2"):
        topic = f"topic/$aws/things/{_THING}/{version}/health/json"
        yield Call("edge-certificate", "iot:Publish", _IOT.format(topic))
    alias = _IOT.format(f"rolealias/{_THING}-GG-Role-Alias")
    yield Call("edge-certificate", "iot:AssumeRoleWithCertificate", alias)
    for action in (
        *("GetComponentVersionArtifact", "ResolveComponentCandidates"),
        *("GetDeploymentConfiguration", "ListThingGroupsForCoreDevice"),
    ):
        yield Call("edge-certificate", f"greengrass:{action}", "*")


def _installer() -> Iterator[Call]:
    """`cdk/device/install.sh`.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
    """
    certificate, thing = _IOT.format("cert/…"), _IOT.format(f"thing/{_THING}")
    for action in ("CreateCertificateFromCsr", "DescribeEndpoint"):
        yield Call("installer", f"iot:{action}", "*")
    yield Call("installer", "iot:AttachPolicy", certificate)
    yield Call("installer", "iot:AttachThingPrincipal", certificate)
    yield Call("installer", "iot:AddThingToThingGroup", thing)
    yield Call("installer", "iot:AddThingToThingGroup", "<edge/devices.Arn>")


def _others() -> Iterator[Call]:
    """Alarms, access logs, flow logs; HealthImaging's role; what start_import passes.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
    """
    alarm = {"aws:SourceAccount": "<AccountId>"}
    yield Call("cloudwatch.amazonaws.com", "sns:Publish", "<observability/alarms/topic>", alarm)
    access = {"aws:SourceArn": BUCKET, "aws:SourceAccount": "<AccountId>"}
    yield Call("logging.s3.amazonaws.com", "s3:PutObject", "<data/access-log.Arn>/dicom/…", access)
    for action in ("CreateLogStream", "PutLogEvents", "DescribeLogStreams"):
        yield Call("flow-log", f"logs:{action}", "<data/network/flow-log.Arn>")
    passed = {"iam:PassedToService": "medical-imaging.amazonaws.com"}
    yield Call("start_import", "iam:PassRole", "<data/image-store/import-role.Arn>", passed)
    # `dicom_ingest.healthimaging` asks about imports of a store that was replaced, wherever it asks.
    yield Call("check_import", "medical-imaging:GetDICOMImportJob", OTHER_STORE)
