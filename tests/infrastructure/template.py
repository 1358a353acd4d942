"""A synthesised template, read as a person would: by construct path, with references as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, flattened."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...]
    conditions: Any

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every action with every resource."""
        return [(action, resource) for action in self.actions for resource in self.resources]


class Template:
    """One variant's template and validation report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (path,) = folder.glob("*.template.json")
        self.path = path
        self.stack = path.name.removesuffix(".template.json")
        self.body: dict[str, Any] = json.loads(path.read_text())

    @cached_property
    def paths(self) -> dict[str, str]:
        """Logical id -> construct path without the stack and the trailing `Resource`."""
        return {
            id_: self._path(id_, resource.get("Metadata", {}).get("aws:cdk:path", id_))
            for id_, resource in self.body["Resources"].items()
        }

    def _path(self, id_: str, path: str) -> str:
        return path.removeprefix(f"{self.stack}/").removesuffix("/Resource") or id_

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Construct path -> resource, of one type."""
        found = {i: r for i, r in self.body["Resources"].items() if r["Type"] == kind}
        return {self.paths[id_]: resource for id_, resource in found.items()}

    def properties(self, kind: str, path: str | None = None) -> Any:
        """The properties of the one resource of this type, or of the one at a path."""
        found = self.resources(kind)
        if path is not None:
            return found[path]["Properties"]
        (one,) = found.values()
        return one["Properties"]

    def outputs(self) -> dict[str, Any]:
        """Output -> value as text."""
        return {name: self.text(output["Value"]) for name, output in self.body.get("Outputs", {}).items()}

    def text(self, value: Any) -> str:
        """A value with its references written out: `<data/bucket.Arn>/results/*`."""
        if not isinstance(value, dict):
            return str(value)
        ((function, argument),) = value.items()
        if function == "Fn::Join":
            return str(argument[0]).join(self.text(part) for part in argument[1])
        if function == "Ref":
            return f"<{self.paths.get(argument, argument.removeprefix('AWS::'))}>"
        if function == "Fn::Sub" and isinstance(argument, str):
            return re.sub(r"\$\{(?:AWS::)?(\w+)\}", r"<\1>", argument)
        if function == "Fn::GetAtt":
            return f"<{self.paths[argument[0]]}.{argument[1]}>"
        return json.dumps(value, sort_keys=True)

    def statements(self, document: Any) -> list[Statement]:
        """The statements of a policy document."""
        return [
            Statement(
                effect=statement["Effect"],
                actions=self._texts(statement["Action"]),
                resources=self._texts(statement.get("Resource", [])),
                principals=self._principals(statement.get("Principal", {})),
                conditions=self.plain(statement.get("Condition", {})),
            )
            for statement in document["Statement"]
        ]

    def granted(self, role: str) -> list[Statement]:
        """All statements of a role's inline policies."""
        return [s for path, s in self.all_statements() if path == role]

    def all_statements(self) -> Iterator[tuple[str, Statement]]:
        """(role's path, statement) of every identity policy, and of every IoT policy."""
        for policy in self.resources("AWS::IAM::Policy").values():
            for role in policy["Properties"]["Roles"]:
                for statement in self.statements(policy["Properties"]["PolicyDocument"]):
                    yield self.text(role).strip("<>"), statement
        for path, resource in self.resources("AWS::IAM::Role").items():
            for policy in resource["Properties"].get("Policies", []):
                for statement in self.statements(policy["PolicyDocument"]):
                    yield path, statement
        for path, resource in self.resources("AWS::IoT::Policy").items():
            for statement in self.statements(resource["Properties"]["PolicyDocument"]):
                yield path, statement

    def _texts(self, value: Any) -> tuple[str, ...]:
        return tuple(self.text(one) for one in (value if isinstance(value, list) else [value]))

    def _principals(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        return tuple(one for part in value.values() for one in self._texts(part))

    def plain(self, value: Any) -> Any:
        """A value with every reference in it written out."""
        if isinstance(value, dict) and not any(k.startswith("Fn::") or k == "Ref" for k in value):
            return {key: self.plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.plain(inner) for inner in value]
        return self.text(value)
