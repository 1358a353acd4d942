"""The boundary of every function: what it makes of errors, and what it writes to the log."""

from __future__ import annotations

import json
from io import StringIO
from logging import StreamHandler

import pytest
from botocore.exceptions import EndpointConnectionError
from pydantic import BaseModel

from dicom_ingest.errors import AwsAwayError, ManifestRejectedError
from dicom_ingest.runtime.step import identifiers, logger, step
from tests.support.workflow.lambda_context import lambda_context
from tests.support.workflow.series import Announced
from tests.support.workflow.stand_ins import client_error


class Asked(BaseModel):
    raises: str = ""


class Answered(BaseModel):
    well: bool = True


ERRORS: dict[str, Exception] = {
    "denied": client_error("AccessDenied", "GetObject"),
    "throttled": client_error("SlowDown", "ListObjectsV2"),
    "unreachable": EndpointConnectionError(endpoint_url="https://states"),
    "rejected": ManifestRejectedError("altered"),
}


def ask(request: Asked) -> Answered:
    if request.raises:
        raise ERRORS[request.raises]
    return Answered()


@pytest.mark.parametrize("trouble", ["denied", "throttled", "unreachable"])
def test_a_broken_role_or_key_or_an_outage_burns_no_series(trouble: str) -> None:
    """C23: every waiter failed within seconds."""
    with pytest.raises(AwsAwayError):
        step(ask)({"raises": trouble}, lambda_context())


def test_an_error_of_ours_passes_as_it_is() -> None:
    """C1: a function that swallows its errors is a queue that deletes its messages."""
    with pytest.raises(ManifestRejectedError):
        step(ask)({"raises": "rejected"}, lambda_context())


def test_every_line_carries_what_ties_it_to_a_series() -> None:
    series, written = Announced(), StringIO()
    handler = logger.registered_handler
    assert isinstance(handler, StreamHandler)
    reference = {"correlation_id": "c", "transfer_id": series.transfer_id, "series_instance_uid": "1.2"}
    before = handler.setStream(written)
    step(ask)({"series_transfer": reference, "execution_arn": "arn:x"}, lambda_context())
    handler.setStream(before)
    line = json.loads(written.getvalue().splitlines()[-1])
    assert reference.items() <= line.items()
    assert line["execution_arn"] == "arn:x"


def test_a_line_names_the_import_that_a_series_shares() -> None:
    shared = {"import_id": "b2c9", "bundle": 4711}
    for event in ({"import": shared}, {"state": {"import": shared}}):
        assert shared.items() <= identifiers(event).items()
    assert not shared.keys() & identifiers({"state": {"import": None}}).keys()


@pytest.mark.parametrize("wrap", [lambda e: {"event": e}, lambda e: {"state": e}])
def test_before_the_index_the_event_itself_says_which_series_it_is(wrap: object) -> None:
    series = Announced()
    assert callable(wrap)
    found = identifiers(wrap(series.envelope()))
    assert found["transfer_id"] == series.transfer_id
    assert found["series_instance_uid"] == series.series_instance_uid
