"""What each role may do is what its code does: every call is allowed, and every right is used."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import pytest

from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
from tests.support.iam.calls import Call, source_spelling
from tests.support.iam.key_use import CALLERS, KINDS, by_callers, by_services, encrypted
from tests.support.iam.policies import KEY, Policies
from tests.support.iam.recording import recorded
from tests.support.iam.services import RARE, absences, service_calls

RUNS = ("main job", "workflow")
CDKS_OWN = re.compile(r"Custom::.*|AWS679f\w+/ServiceRole|pipeline/migration/provider/.*")
"""Roles of functions that the CDK brings, with the policies that it gives them."""


@pytest.fixture(scope="module")
def policies(default: Template) -> Policies:
    """Of the untouched configuration."""
    return Policies(default)


@pytest.fixture(scope="module")
def calls(default: Template) -> list[Call]:
    """Recorded, made by AWS, and made of KMS on behalf of both."""
    made = [*(call for source in RUNS for call in recorded(source)), *service_calls(default)]
    made += absences(made)
    return [*made, *(use for call in made for use in by_callers(call)), *by_services(default)]


def test_every_call_is_allowed(policies: Policies, calls: list[Call]) -> None:
    refused = {f"{call}: {answer}" for call in calls if (answer := policies.decide(_sent(call))) != "allowed"}
    assert not refused, "\n".join(sorted(refused))


def _sent(call: Call) -> Call:
    """With the keys that every request of the SDK has, and those that the edge's objects have."""
    context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", **call.context}
    if call.action == "s3:PutObject" and call.principal == "edge":
        context.setdefault("s3:ObjectCreationOperation", "true")
        if context["s3:ObjectCreationOperation"] == "true":
            context["s3:if-none-match"] = "*"
    return Call(call.principal, call.action, call.resource, context)


UNUSED = {
    # (role, action, resource): why a right is there that no call uses
    ("edge/edge1/policy", "iot:Receive", r".*health/json"): "one list of topics for Publish and Receive",
    ("edge/installer-role", "iot:AttachThingPrincipal", r".*:thing/.*"): (
        "the guide names the certificate, IAM's reference the thing"
    ),
    ("edge/installer-role", "iot:AttachPolicy", r".*:policy/.*"): (
        "the guide names the certificate, IAM's reference the policy"
    ),
    ("events.amazonaws.com", "sqs:GetQueue(Attributes|Url)", r"<pipeline/upkeep/status-changes.Arn>"): (
        "the CDK's own grant for an encrypted target"
    ),
    ("delivery.logs.amazonaws.com", "logs:.*", r".*heartbeats:\*"): (
        "EventBridge's guide names both principals for a log as a target"
    ),
}


def test_every_right_is_used_by_a_call_or_explained(policies: Policies, calls: list[Call]) -> None:
    sent = [_sent(call) for call in calls]
    granted = {
        (role, action, resource)
        for role, statements in policies.identity.items()
        if not CDKS_OWN.fullmatch(role)
        for statement in statements
        if statement.effect == "Allow"
        for action in statement.actions
        for resource in statement.resources
    }
    used = {
        (role, *pair)
        for role, statements in policies.identity.items()
        for statement in statements
        for call in sent
        if call.role == role
        for pair in policies.uses(statement, call)
    }
    for statement in (s for s in (*policies.resource, *policies.key) if s.effect == "Allow"):
        for principal in statement.principals or ():
            if principal == "account":
                continue
            granted |= {(principal, a, r) for a in statement.actions for r in statement.resources}
            used |= {
                (principal, *pair)
                for call in sent
                if call.role == principal
                for pair in policies.uses(statement, call)
            }
    unused = granted - used
    surplus = sorted(str(right) for right in unused if not _explained(right))
    assert not surplus, "\n".join(surplus)
    assert [rule for rule in UNUSED if not any(_fits(rule, right) for right in unused)] == []


def _fits(rule: tuple[str, str, str], right: tuple[str, str, str]) -> bool:
    return rule[0] == right[0] and all(re.fullmatch(r, v) for r, v in zip(rule[1:], right[1:], strict=True))


def _explained(right: tuple[str, str, str]) -> bool:
    return any(_fits(rule, right) for rule in UNUSED)


def test_everything_encrypted_has_its_users_of_the_key_named(template: Callable[[str], Template]) -> None:
    for variant in ("default", "edges", "dev"):
        kinds = set(encrypted(template(variant)).values())
        assert kinds <= KINDS.keys(), variant
    assert all(caller.page.startswith("https://docs.aws.amazon.com/") for caller in CALLERS)


def test_a_recorded_call_still_stands_in_the_code() -> None:
    """A recording keeps what a run no longer does; what is gone from the code is gone from here."""
    rooms = {"workflow": "local", "import-role": "healthimaging-emulator", "edge": "edge_component"}
    texts = {
        room: "\n".join(path.read_text() for path in (ROOT / room).rglob("*.py"))
        for room in (*rooms.values(), "functions", "dicom_ingest", "ops")
    }
    texts["functions"] += texts["dicom_ingest"]
    for call in (call for source in RUNS for call in recorded(source)):
        if call.principal in ("workflow", "import-role"):
            continue  # moto and the emulator, in AWS's stead
        text = texts[rooms.get(call.principal, "functions")]
        assert any(name in text for name in _spellings(call.action)), call


def test_what_no_run_does_stands_in_the_code() -> None:
    for place, _ in RARE:
        module, _, name = place.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name)), place


def _spellings(action: str) -> list[str]:
    operation = action.partition(":")[2]
    others = {"ListBucket": ["list_objects_v2"], "ListMultipartUploadParts": ["list_parts"]}
    return [source_spelling(operation), *others.get(operation, [])]


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (Call("edge", "s3:PutObject", "<data/bucket.Arn>/{stack}-edge10/…"), "denied by default"),
        (Call("edge", "s3:GetObject", "<data/bucket.Arn>/{stack}-edge1/…"), "denied by default"),
        (
            Call(
                "edge",
                "s3:PutObject",
                "<data/bucket.Arn>/{stack}-edge1/…",
                {"s3:ObjectCreationOperation": "true"},
            ),
            "denied by a statement",
        ),
        (
            Call("edge", "events:PutEvents", "<pipeline/bus/bus.Arn>", {"events:source": "x"}),
            "denied by default",
        ),
        (Call("audit_uploads", "s3:GetObject", "<data/bucket.Arn>/manifests/…"), "denied by default"),
        (Call("events.amazonaws.com", "kms:Decrypt", KEY), "denied by default"),
        (
            Call(
                "events.amazonaws.com",
                "sqs:SendMessage",
                "<pipeline/upkeep/status-changes.Arn>",
                {"aws:SourceArn": "arn:<Partition>:events:<Region>:another:rule/x"},
            ),
            "denied by a statement",
        ),
        (Call("record_failure", "kms:Decrypt", KEY), "denied by default"),
    ],
)
def test_what_nobody_should_do_is_refused(call: Call, answer: str, policies: Policies) -> None:
    assert policies.decide(call) == answer
