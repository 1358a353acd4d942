"""A call as IAM sees it: who, which action, on what, with which condition keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name

ROLES = {
    "workflow": "pipeline/workflow/role",
    "bus": "pipeline/bus/role",
    "edge": "edge/edge1/role",
    "import-role": "data/image-store/import-role",
    "installer": "edge/installer-role",
    "edge-certificate": "edge/edge1/policy",
    "flow-log": "data/network/flow-log-role",
}
"""Principal -> construct path of its role; everybody else is a function."""
SERVICES = {"stepfunctions": "states"}
"""botocore's name -> IAM's."""
ACTIONS = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "lambda:Invoke": "lambda:InvokeFunction",
}
"""An operation that IAM knows by another action's name."""
BUCKET = "<data/bucket.Arn>"
_ARN = "arn:<Partition>:{}:<Region>:<AccountId>:{}"
MACHINE = _ARN.format("states", "stateMachine:{stack}-ingest-series")
EXECUTION = _ARN.format("states", "execution:{stack}-ingest-series:…")
STORE = _ARN.format("medical-imaging", "datastore/configured")
OTHER_STORE = _ARN.format("medical-imaging", "datastore/replaced")
BUS = "<pipeline/bus/bus.Arn>"


@dataclass(frozen=True)
class Call:
    """What IAM decides about. References are written as in `Template.text`."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def role(self) -> str:
        """The path of the principal's role, or the service itself."""
        if "." in self.principal:
            return self.principal
        return ROLES.get(self.principal, f"pipeline/functions/{self.principal}-role")

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        """The order of a recording."""
        return self.principal, self.action, self.resource, repr(sorted(self.context.items()))


def named(principal: str, service: str, operation: str, told: dict[str, str]) -> Call | None:
    """A recorded call in the stack's words; None: IAM is not asked about it."""
    action = f"{SERVICES.get(service, service)}:{operation}"
    action = ACTIONS.get(action, action)
    describe: Any = _RESOURCES.get(service)
    if describe is None:
        raise LookupError(f"{principal} calls {action}: say in {__name__} what its resource is")
    found = describe(told)
    if found is None:
        return None
    resource, context = found
    return Call(principal, action, resource, context)


def source_spelling(operation: str) -> str:
    """How a call is written in Python."""
    spelled: str = xform_name(operation)
    return spelled


def _s3(told: dict[str, str]) -> tuple[str, dict[str, str]] | None:
    if told.get("Key") == "prepared-and-never-sent":
        return None
    if "Key" in told:
        return f"{BUCKET}/{_place(told['Key'])}", {}
    return BUCKET, {"s3:prefix": _place(told.get("Prefix", ""))}


def _place(key: str) -> str:
    """A key or prefix without what differs from series to series."""
    top, _, rest = key.partition("/")
    if top in ("manifests", "results"):
        edge, _, rest = rest.partition("/")
        return f"{top}/" + (f"{_edge(edge)}/" if edge else "") + ("…" if rest else "")
    return (f"{_edge(top)}/" if top else "") + ("…" if rest else "")


def _edge(_name: str) -> str:
    return "{stack}-edge1"


def _states(told: dict[str, str]) -> tuple[str, dict[str, str]]:
    # A task token names its state machine.
    return EXECUTION if "executionArn" in told else MACHINE, {}


def _imaging(told: dict[str, str]) -> tuple[str, dict[str, str]]:
    return (STORE if told["datastoreId"] == "configured" else OTHER_STORE), {}


def _events(told: dict[str, str]) -> tuple[str, dict[str, str]] | None:
    if "Source" not in told:
        return _archive(told)
    if told["Source"].startswith("aws."):
        return None  # the emulator, in AWS's stead
    return BUS, {"events:source": told["Source"]}


def _function(told: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A name, or an ARN with or without a version: `…:function:{stack}-{name}:$LATEST`."""
    name = told["FunctionName"].partition(":function:")[2] or told["FunctionName"]
    return f"<pipeline/functions/{name.partition(':')[0].rpartition('-')[2]}.Arn>", {}


def _queue(told: dict[str, str]) -> tuple[str, dict[str, str]]:
    del told
    return "<pipeline/bus/undelivered.Arn>", {}


def _secret(_told: dict[str, str]) -> tuple[str, dict[str, str]]:
    return "<data/database/secret>", {}


def _archive(told: dict[str, str]) -> tuple[str, dict[str, str]]:
    del told
    return _ARN.format("events", "archive/{stack}-series"), {}


def _stack(_told: dict[str, str]) -> tuple[str, dict[str, str]]:
    return _ARN.format("cloudformation", "stack/{stack}/…"), {}


def _cluster(_told: dict[str, str]) -> tuple[str, dict[str, str]]:
    return _ARN.format("rds", "cluster:<data/database/cluster>"), {}


def _heartbeats(_told: dict[str, str]) -> tuple[str, dict[str, str]]:
    return _ARN.format("logs", "log-group:/aws/events/{stack}-heartbeats:*"), {}


_RESOURCES = {
    "s3": _s3,
    "cloudformation": _stack,
    "rds-data": _cluster,
    "logs": _heartbeats,
    "stepfunctions": _states,
    "medical-imaging": _imaging,
    "events": _events,
    "lambda": _function,
    "sqs": _queue,
    "secretsmanager": _secret,
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: no permission is needed.
    "sts": lambda _: None,
}
