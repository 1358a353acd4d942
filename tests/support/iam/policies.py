"""The policies of a synthesised stack, as the evaluator takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.infrastructure.template import Template
from tests.support.iam.calls import MACHINE, STORE, Call
from tests.support.iam.evaluator import Decision, PolicyStatement, Request, decide

ROOT = "arn:<Partition>:iam::<AccountId>:root"
SAME = {
    # What the template names in two ways is one thing.
    "<data/image-store/datastore.DatastoreArn>": STORE,
    "<pipeline/workflow/ingest_series>": MACHINE,
}
_POLICIES_OF_RESOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "AWS::S3::BucketPolicy": lambda p: [p["Bucket"]],
    "AWS::SQS::QueuePolicy": lambda p: p["Queues"],
    "AWS::SNS::TopicPolicy": lambda p: p["Topics"],
}
KEY = "<data/key.Arn>"


class Policies:
    """Identity and resource policies of one stack."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self._same = SAME | {
            f"<{path}.Arn>": f"arn:<Partition>:events:<Region>:<AccountId>:rule/{path.replace('/', '-')}"
            for path in template.resources("AWS::Events::Rule")
        }
        self.identity: dict[str, list[PolicyStatement]] = {}
        for role, document in self._documents():
            self.identity.setdefault(role, []).extend(self._read(document))
        self.resource: list[PolicyStatement] = [
            *self._of_resources(),
            *self._of_functions(),
            *self._of_logs(),
        ]
        self.key = self._read(template.properties("AWS::KMS::Key")["KeyPolicy"], resources=(KEY,))

    def decide(self, call: Call) -> Decision:
        """What IAM answers to a call."""
        request = Request(call.role, call.action, self.written(call.resource), self._context(call))
        identity = self.identity.get(call.role, [])
        if call.resource == KEY:
            return decide(request, identity, self.key, resource_must_agree=True)
        return decide(request, identity, self.resource)

    def uses(self, statement: PolicyStatement, call: Call) -> list[tuple[str, str]]:
        """The pairs of action and resource of a statement that a call needs."""
        if not statement.applies(
            Request(call.role, call.action, self.written(call.resource), self._context(call))
        ):
            return []
        return [
            (action, resource)
            for action in statement.actions
            for resource in statement.resources
            if PolicyStatement("Allow", (action,), (), (resource,)).applies(
                Request("", call.action, self.written(call.resource))
            )
        ]

    def written(self, text: str) -> str:
        """A text of a call with this stack's name, and one name for each thing."""
        text = text.replace("{stack}", self.template.stack)
        for name, same in self._same.items():
            text = text.replace(name, same.replace("{stack}", self.template.stack))
        return text

    def _context(self, call: Call) -> dict[str, str]:
        return {key: self.written(value) for key, value in call.context.items()}

    def _documents(self) -> Iterator[tuple[str, Any]]:
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for policy in self.template.resources(kind).values():
                for role in policy["Properties"].get("Roles", []):
                    yield self.template.text(role).strip("<>"), policy["Properties"]["PolicyDocument"]
        for path, role in self.template.resources("AWS::IAM::Role").items():
            for policy in role["Properties"].get("Policies", []):
                yield path, policy["PolicyDocument"]
        for path, policy in self.template.resources("AWS::IoT::Policy").items():
            yield path, policy["Properties"]["PolicyDocument"]

    def _of_resources(self) -> Iterator[PolicyStatement]:
        for kind, of in _POLICIES_OF_RESOURCES.items():
            for policy in self.template.resources(kind).values():
                assert of(policy["Properties"])
                yield from self._read(policy["Properties"]["PolicyDocument"])

    def _of_functions(self) -> Iterator[PolicyStatement]:
        """AWS::Lambda::Permission is a statement in another spelling."""
        for permission in self.template.resources("AWS::Lambda::Permission").values():
            properties = {
                name: self.written(self.template.text(v)) for name, v in permission["Properties"].items()
            }
            yield PolicyStatement(
                "Allow",
                actions=(properties["Action"],),
                resources=(properties["FunctionName"],),
                principals=(properties["Principal"],),
                conditions={"ArnLike": {"aws:SourceArn": properties["SourceArn"]}},
            )

    def _of_logs(self) -> Iterator[PolicyStatement]:
        for policy in self.template.resources("AWS::Logs::ResourcePolicy").values():
            yield from self._read(json.loads(self.template.text(policy["Properties"]["PolicyDocument"])))

    def _read(self, document: Any, resources: tuple[str, ...] | None = None) -> list[PolicyStatement]:
        return [
            PolicyStatement(
                effect=one["Effect"],
                actions=self._texts(one.get("Action", [])),
                not_actions=self._texts(one.get("NotAction", [])),
                resources=resources or self._texts(one.get("Resource", [])),
                not_resources=self._texts(one.get("NotResource", [])),
                principals=self._principals(one["Principal"]) if "Principal" in one else None,
                conditions=self._written(self.template.plain(one.get("Condition", {}))),
            )
            for one in document["Statement"]
        ]

    def _texts(self, value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        return tuple(self.written(self.template.text(one)) for one in values)

    def _principals(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        named = (name for part in value.values() for name in self._texts(part))
        return tuple("account" if name == ROOT else name.strip("<>").removesuffix(".Arn") for name in named)

    def _written(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._written(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._written(inner) for inner in value]
        return self.written(value)
