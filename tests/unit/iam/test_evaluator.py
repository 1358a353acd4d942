"""The evaluator of policies, against the examples of IAM's guide."""

from __future__ import annotations

import pytest

from tests.support.iam.evaluator import (
    Conditions,
    PolicyStatement,
    Request,
    UnknownOperatorError,
    decide,
    holds,
    like,
)

GET = Request("reader", "s3:GetObject", "arn:aws:s3:::b/manifests/e1/x")


def _allow(*actions: str, resource: str = "*", **more: object) -> PolicyStatement:
    return PolicyStatement("Allow", actions=actions, resources=(resource,), **more)  # type: ignore[arg-type]


def _deny(*actions: str, resource: str = "*", **more: object) -> PolicyStatement:
    return PolicyStatement("Deny", actions=actions, resources=(resource,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("s3:Get*", "s3:GetObject", True),
        ("s3:Get*", "s3:PutObject", False),
        ("s3:GetObjec?", "s3:GetObject", True),
        ("s3:GetObjec?", "s3:GetObjec", False),
        ("b/e1/*", "b/e10/x", False),
        ("b/e1*", "b/e10/x", True),
        ("a.b", "axb", False),
        ("[ab]", "a", False),
    ],
)
def test_a_wildcard_stands_for_what_iam_says(pattern: str, value: str, matches: bool) -> None:
    assert like(pattern, value) is matches


def test_what_nobody_allows_is_denied() -> None:
    assert decide(GET, []) == "denied by default"
    assert decide(GET, [_allow("s3:PutObject")]) == "denied by default"
    assert decide(GET, [_allow("s3:GetObject", resource="arn:aws:s3:::b/results/*")]) == "denied by default"


def test_actions_ignore_case_and_resources_do_not() -> None:
    assert decide(GET, [_allow("S3:getobject", resource="arn:aws:s3:::b/manifests/*")]) == "allowed"
    assert decide(GET, [_allow("s3:GetObject", resource="arn:aws:s3:::B/*")]) == "denied by default"


def test_a_deny_wins_wherever_it_stands() -> None:
    everybody = _deny("s3:*", principals=("*",))
    other = _deny("s3:*", principals=("events.amazonaws.com",))
    assert decide(GET, [_allow("s3:*"), _deny("s3:Get*")]) == "denied by a statement"
    assert decide(GET, [_allow("s3:*")], [everybody]) == "denied by a statement"
    assert decide(GET, [_allow("s3:*")], [other]) == "allowed"


def test_not_action_and_not_resource_are_everything_else() -> None:
    assert decide(GET, [PolicyStatement("Allow", not_actions=("iam:*",))]) == "allowed"
    assert decide(GET, [PolicyStatement("Allow", not_actions=("s3:*",))]) == "denied by default"
    elsewhere = PolicyStatement("Allow", actions=("s3:*",), not_resources=("arn:aws:s3:::b/manifests/*",))
    assert decide(GET, [elsewhere]) == "denied by default"


def test_a_service_needs_a_resource_policy_that_names_it() -> None:
    send = Request("events.amazonaws.com", "sqs:SendMessage", "queue")
    assert decide(send, [], []) == "denied by default"
    assert decide(send, [], [_allow("sqs:SendMessage", principals=("events.amazonaws.com",))]) == "allowed"
    assert decide(send, [], [_allow("sqs:*", principals=("sns.amazonaws.com",))]) == "denied by default"


def test_a_key_is_used_only_where_its_own_policy_lets_identities_in() -> None:
    use, mine = Request("reader", "kms:Decrypt", "key"), [_allow("kms:Decrypt", resource="key")]
    root = _allow("kms:*", principals=("account",))
    assert decide(use, mine, [], resource_must_agree=True) == "denied by default"
    assert decide(use, mine, [root], resource_must_agree=True) == "allowed"
    assert decide(use, [], [root], resource_must_agree=True) == "denied by default"
    assert decide(use, [], [_allow("kms:*", principals=("reader",))], resource_must_agree=True) == "allowed"


@pytest.mark.parametrize(
    ("conditions", "context", "expected"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"k": ["b", "a"]}}, {"k": "a"}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringLike": {"aws:K": "a*"}}, {"AWS:k": "ab"}, True),
        ({"StringNotLike": {"k": "a*"}}, {"k": "ab"}, False),
        ({"ArnLike": {"k": "arn:aws:sqs:*:1:*"}}, {"k": "arn:aws:sqs:r:1:q"}, True),
        ({"ArnLike": {"k": "arn:aws:*"}}, {"k": "arn:aws:sqs:r:1:q"}, False),
        ({"ArnEquals": {"k": "arn:aws:sqs:r:1:q"}}, {"k": "arn:aws:sqs:r:2:q"}, False),
        ({"ArnNotLike": {"k": "arn:aws:sqs:r:1:*"}}, {"k": "arn:aws:sqs:r:2:q"}, True),
        ({"ArnNotLike": {"k": "arn:aws:sqs:r:1:*"}}, {}, True),
        ({"Bool": {"k": "true"}}, {"k": "True"}, True),
        ({"Bool": {"k": "true"}}, {}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "x"}, False),
        ({"Null": {"k": "false"}}, {"k": "x"}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.1"}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.3"}, False),
        ({"StringEquals": {"k": "a"}, "Null": {"l": "true"}}, {"k": "a", "l": "x"}, False),
    ],
)
def test_a_condition_holds_as_iam_says(
    conditions: Conditions, context: dict[str, str], expected: bool
) -> None:
    assert holds(conditions, context) is expected


def test_an_operator_that_is_not_known_is_not_guessed() -> None:
    with pytest.raises(UnknownOperatorError, match="DateLessThan"):
        holds({"DateLessThan": {"k": "2026"}}, {"k": "2025"})
