"""How IAM decides, as far as one account needs it: identity policies, resource policies, conditions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["allowed", "denied by default", "denied by a statement"]
Conditions = Mapping[str, Mapping[str, Any]]


class UnknownOperatorError(ValueError):
    """A condition operator that this evaluator does not know: it must not be guessed."""


@dataclass(frozen=True)
class Request:
    """Who asks for what. A service is named by its host, such as `events.amazonaws.com`."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyStatement:
    """One statement of a policy, references written out."""

    effect: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ("*",)
    not_resources: tuple[str, ...] = ()
    principals: tuple[str, ...] | None = None
    """None: an identity policy. `*` is everybody, `account` delegates to the account's identity policies."""
    conditions: Conditions = field(default_factory=dict)

    def applies(self, request: Request) -> bool:
        """Action, resource and conditions fit; whose policy it is, is not asked here."""
        return (
            _one_of(self.actions, self.not_actions, request.action, ignore_case=True)
            and _one_of(self.resources, self.not_resources, request.resource)
            and holds(self.conditions, request.context)
        )

    def names(self, principal: str) -> bool:
        """Of a resource policy: is this principal meant, by name or as everybody?"""
        return self.principals is not None and any(p in ("*", principal) for p in self.principals)


def decide(
    request: Request,
    identity: Sequence[PolicyStatement],
    resource: Sequence[PolicyStatement] = (),
    *,
    resource_must_agree: bool = False,
) -> Decision:
    """What IAM answers within one account.

    `resource_must_agree`: of KMS keys, whose policy alone can delegate to identity policies.
    """
    named = [s for s in resource if s.names(request.principal)]
    applying = [s for s in (*identity, *named) if s.applies(request)]
    if any(s.effect == "Deny" for s in applying):
        return "denied by a statement"
    if any(s.effect == "Allow" for s in named if s.applies(request)):
        return "allowed"
    delegated = not resource_must_agree or any(
        s.effect == "Allow" and "account" in (s.principals or ()) and s.applies(request) for s in resource
    )
    if delegated and any(s.effect == "Allow" and s.applies(request) for s in identity):
        return "allowed"
    return "denied by default"


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """IAM's wildcards: `*` is any run of characters, `?` one."""
    parts = ("." if c == "?" else ".*" if c == "*" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _one_of(wanted: Iterable[str], unwanted: Sequence[str], value: str, *, ignore_case: bool = False) -> bool:
    if unwanted:
        return not any(like(pattern, value, ignore_case=ignore_case) for pattern in unwanted)
    return any(like(pattern, value, ignore_case=ignore_case) for pattern in wanted)


def holds(conditions: Conditions, context: Mapping[str, str]) -> bool:
    """Every operator, every key of it, one of each key's values.

    Raises:
        UnknownOperatorError: an operator that is not known here.
    """
    known = {key.lower(): value for key, value in context.items()}
    return all(
        _holds(
            operator,
            known.get(key.lower()),
            [str(v) for v in (wanted if isinstance(wanted, list) else [wanted])],
        )
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, found: str | None, wanted: list[str]) -> bool:
    if operator == "Null":
        return (found is None) == (wanted[0].lower() == "true")
    name = operator.removesuffix("IfExists")
    if name not in _OPERATORS:
        raise UnknownOperatorError(operator)
    negated, compare = _OPERATORS[name]
    if found is None:
        return negated or name != operator
    return any(compare(one, found) for one in wanted) is not negated


def _equal(wanted: str, found: str) -> bool:
    return wanted == found


def _same_word(wanted: str, found: str) -> bool:
    return wanted.lower() == found.lower()


def _same_arn(wanted: str, found: str) -> bool:
    """Each of the six parts of an ARN by itself: a wildcard reaches no further than its part."""
    patterns, values = wanted.split(":", 5), found.split(":", 5)
    return len(patterns) == len(values) and all(like(p, v) for p, v in zip(patterns, values, strict=True))


_OPERATORS: dict[str, tuple[bool, Callable[[str, str], bool]]] = {
    "StringEquals": (False, _equal),
    "StringNotEquals": (True, _equal),
    "StringEqualsIgnoreCase": (False, _same_word),
    "StringLike": (False, like),
    "StringNotLike": (True, like),
    "ArnEquals": (False, _same_arn),
    "ArnLike": (False, _same_arn),
    "ArnNotEquals": (True, _same_arn),
    "ArnNotLike": (True, _same_arn),
    "Bool": (False, _same_word),
    "NumericLessThan": (False, lambda wanted, found: float(found) < float(wanted)),
    "NumericLessThanEquals": (False, lambda wanted, found: float(found) <= float(wanted)),
    "NumericGreaterThan": (False, lambda wanted, found: float(found) > float(wanted)),
    "NumericGreaterThanEquals": (False, lambda wanted, found: float(found) >= float(wanted)),
}
"""Operator -> is it negated, and how one value is compared."""
