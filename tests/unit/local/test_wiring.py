"""What fills the state machine and the functions' environments."""

from __future__ import annotations

import pytest

from dicom_ingest.contracts.platform.functions import FUNCTIONS, WORKFLOW_FUNCTIONS
from local.run.wiring import (
    DEFINITION,
    Names,
    PlaceholderError,
    definition,
    endpoints,
    function_table,
    substitutions,
)

NAMES = Names("dicom-ingest")


def test_every_placeholder_of_our_state_machine_is_filled_with_a_functions_arn() -> None:
    filled = definition(DEFINITION.read_text(encoding="utf-8"), substitutions(NAMES))
    assert "${" not in filled
    for name in WORKFLOW_FUNCTIONS:
        assert f"arn:aws:lambda:us-east-1:123456789012:function:dicom-ingest-{name}" in filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${a} ${b}", "placeholders without a value: b; values without a placeholder: none"),
        ("nothing", "placeholders without a value: none; values without a placeholder: a"),
    ],
)
def test_a_placeholder_too_many_or_too_few_is_named(text: str, message: str) -> None:
    with pytest.raises(PlaceholderError, match=message):
        definition(text, {"a": "x"})


def test_a_function_is_told_what_its_spec_names_and_where_aws_is_and_nothing_else() -> None:
    addresses = endpoints("http://127.0.0.1:1", "http://127.0.0.1:2")
    table = function_table(NAMES, "postgresql://u@/d?host=/s", "0" * 32, addresses)
    for spec, function in zip(FUNCTIONS, table, strict=True):
        own = {
            name for name in function.environment if not name.startswith(("AWS_", "POWERTOOLS_", "LOG_LEVEL"))
        }
        assert own == set(spec.environment)
        assert (function.handler, function.timeout_seconds) == (spec.handler, spec.timeout_seconds)
        assert function.environment["AWS_ENDPOINT_URL_MEDICAL_IMAGING"] == "http://127.0.0.1:2"
        assert function.environment["AWS_DISABLE_HOST_PREFIX_INJECTION"] == "true"


def test_the_bucket_begins_as_operators_know_it() -> None:
    assert NAMES.bucket.startswith("dicom-ingest-iepbucketsiepdicombucket")
    assert len(Names("a" * 40).bucket) <= 63
