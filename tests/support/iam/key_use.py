"""Who uses the customer key for what is encrypted with it: by AWS's own page for each service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.infrastructure.template import Template
from tests.support.iam.calls import BUCKET, MACHINE, Call
from tests.support.iam.policies import KEY

ACCOUNT = {"aws:SourceAccount": "<AccountId>"}
READ, WRITE = ("kms:Decrypt",), ("kms:GenerateDataKey", "kms:Decrypt")


@dataclass(frozen=True)
class ThroughService:
    """A caller uses the key through a service: S3 is asked, and asks KMS as the caller."""

    service: str
    actions: dict[str, tuple[str, ...]]
    page: str
    context_key: str | None = None
    context_value: str | None = None
    """None: the resource of the call."""

    def calls(self, call: Call) -> Iterator[Call]:
        """What KMS is asked on behalf of this call."""
        for action in self.actions.get(call.action, ()):
            context = {
                "kms:ViaService": f"{self.service}.<Region>.amazonaws.com",
                "kms:CallerAccount": "<AccountId>",
            }
            if self.context_key:
                context[f"kms:EncryptionContext:{self.context_key}"] = self.context_value or call.resource
            yield Call(call.principal, action, KEY, context)


CALLERS = (
    ThroughService(
        "s3",
        # A multipart upload decrypts, too, and its parts are PutObject to IAM.
        {"s3:GetObject": READ, "s3:PutObject": WRITE},
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        "aws:s3:arn",
        BUCKET,  # with a bucket key the context is the bucket's ARN
    ),
    ThroughService(
        "states",
        {
            "states:StartExecution": WRITE,
            "states:SendTaskSuccess": WRITE,
            "states:SendTaskFailure": WRITE,
            "states:DescribeExecution": READ,
        },
        "https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html",
        "aws:states:stateMachineArn",
        MACHINE,
    ),
    ThroughService(
        "sqs",
        {"sqs:SendMessage": WRITE, "sqs:ReceiveMessage": READ},
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
        "aws:sqs:arn",
    ),
    ThroughService(
        "secretsmanager",
        {"secretsmanager:GetSecretValue": READ},
        "https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
        "SecretARN",
    ),
    ThroughService(
        "medical-imaging",
        # The page names the actions of KMS, not which of its own operations uses which.
        {"medical-imaging:StartDICOMImportJob": WRITE, "medical-imaging:GetDICOMImportJob": WRITE},
        "https://docs.aws.amazon.com/healthimaging/latest/devguide/data-encryption.html",
    ),
)


def by_callers(call: Call) -> list[Call]:
    """What KMS is asked on behalf of a call to something of ours that is encrypted."""
    if call.principal.endswith(".amazonaws.com") or "cdk-hnb659fds-assets" in call.resource:
        return []  # services are in `by_services`; the CDK's bucket has a key of its own
    return [use for caller in CALLERS for use in caller.calls(call)]


def _arn(service: str, resource: str) -> str:
    return f"arn:<Partition>:{service}:<Region>:<AccountId>:{resource}"


_BUS = {"kms:EncryptionContext:aws:events:event-bus:arn": _arn("events", "event-bus/{stack}-events")}
_BUS_SOURCE = {"aws:SourceArn": _arn("events", "event-bus/{stack}-events"), **ACCOUNT}


GRANTS = (
    # They make a grant when the thing is made, as the principal that makes it: CloudFormation's role.
    "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Overview.Encryption.Keys.html",
    "https://docs.aws.amazon.com/healthimaging/latest/devguide/key-management.html",
    "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html",
)
KINDS: dict[str, list[tuple[str, tuple[str, ...], dict[str, str]]]] = {
    # type of resource: what uses the key by itself (callers are in CALLERS, grants in GRANTS)
    "AWS::S3::Bucket": [],
    "AWS::SecretsManager::Secret": [],
    "AWS::RDS::DBCluster": [],
    "AWS::RDS::DBInstance": [],
    "AWS::HealthImaging::Datastore": [],
    "AWS::EC2::Instance": [],
    "AWS::SQS::Queue": [("events.amazonaws.com", WRITE, {"kms:EncryptionContext:aws:sqs:arn": "{arn}"})],
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    "AWS::Logs::LogGroup": [
        (
            "logs.<Region>.amazonaws.com",
            (
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
                "kms:GenerateDataKey",
                "kms:DescribeKey",
            ),
            {"kms:EncryptionContext:aws:logs:arn": "{arn}"},
        )
    ],
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmkey.html
    "AWS::Events::EventBus": [
        ("events.amazonaws.com", ("kms:DescribeKey",), _BUS_SOURCE),
        ("events.amazonaws.com", WRITE, {**_BUS, **_BUS_SOURCE}),
    ],
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/encryption-archives.html: the context alone
    "AWS::Events::Archive": [
        ("events.amazonaws.com", ("kms:DescribeKey",), {}),
        ("events.amazonaws.com", (*WRITE, "kms:ReEncryptFrom", "kms:ReEncryptTo"), _BUS),
    ],
    # https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
    "AWS::StepFunctions::StateMachine": [
        ("workflow", WRITE, {"kms:EncryptionContext:aws:states:stateMachineArn": MACHINE}),
        ("workflow", ("kms:GenerateDataKey",), {"kms:EncryptionContext:SourceArn": _arn("logs", "*")}),
        (
            "delivery.logs.amazonaws.com",
            READ,
            {"kms:EncryptionContext:SourceArn": _arn("logs", "*")},
        ),
    ],
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    "AWS::SNS::Topic": [("cloudwatch.amazonaws.com", WRITE, ACCOUNT)],
}


def encrypted(template: Template) -> dict[str, str]:
    """Construct path -> type, of everything that names the customer key as its own."""
    return {
        template.paths[id_]: resource["Type"]
        for id_, resource in template.body["Resources"].items()
        if resource["Type"] not in ("AWS::IAM::Policy", "AWS::IAM::Role", "AWS::KMS::Alias")
        and _names_key(template, resource.get("Properties", {}))
    }


def _names_key(template: Template, value: object) -> bool:
    if isinstance(value, dict):
        if len(value) == 1 and template.text(value) == KEY:
            return True
        return any(_names_key(template, inner) for inner in value.values())
    return isinstance(value, list) and any(_names_key(template, inner) for inner in value)


def by_services(template: Template) -> Iterator[Call]:
    """What KMS is asked by the services themselves, for each encrypted thing of the stack.

    Raises:
        KeyError: something new is encrypted: say in KINDS who uses the key for it, with AWS's page.
    """
    for path, kind in encrypted(template).items():
        for principal, actions, context in KINDS[kind]:
            written = {
                key: value.replace("{arn}", _own_arn(template, path, kind)) for key, value in context.items()
            }
            for action in actions:
                yield Call(principal, action, KEY, written)


def _own_arn(template: Template, path: str, kind: str) -> str:
    if kind == "AWS::Logs::LogGroup":
        properties = template.resources(kind)[path]["Properties"]
        return _arn("logs", f"log-group:{template.text(properties['LogGroupName'])}")
    return _arn("sqs", path.rpartition("/")[2])
