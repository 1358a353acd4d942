"""Who may ask: signatures, browsers, throttles and faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from healthimaging_emulator import FailCall, Settings
from healthimaging_emulator.dicomweb.application import OPERATIONS
from healthimaging_emulator.service.model import DICOMWEB_OPERATIONS

from .conftest import TEST_FILES, Answered, Web

KEY, SECRET = "AKIDEXAMPLE", "example-secret"


@pytest.fixture
def healthimaging_settings() -> Settings:
    return Settings.fast(credentials={KEY: SECRET})


def signed(
    web: Web,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    secret: str = SECRET,
    key: str = KEY,
    service: str = "medical-imaging",
    accept: str = "application/dicom+json",
    at: datetime | None = None,
) -> Answered:
    headers = {"Accept": accept} | ({"Content-Type": "application/dicom"} if body else {})
    request = AWSRequest(method, web.url + path, headers, body or b"")
    signer = SigV4Auth(Credentials(key, secret, "token"), service, "us-east-1")
    if at is None:
        signer.add_auth(request)
    else:
        request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
        signer._modify_request_before_signing(request)  # type: ignore[attr-defined]  # add_auth takes today
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signature = signer.signature(text, request)
        signer._inject_signature_to_request(request, signature)  # type: ignore[attr-defined]
    return web.send(method, path, dict(request.headers.items()), body)


def test_a_signed_request_is_answered(empty: Web) -> None:
    assert signed(empty, "/studies").status == 200
    assert signed(empty, "/studies?PatientName=A*&StudyDate=20200101-20200201").status == 200
    body = (TEST_FILES / "CT_small.dcm").read_bytes()
    assert signed(empty, "/studies", method="POST", body=body).status == 200


def test_a_request_without_a_signature_is_refused(empty: Web) -> None:
    answer = empty.get("/studies")
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
    assert "Missing Authentication Token" in answer.json["message"]


def test_a_wrong_signature_is_refused(empty: Web) -> None:
    assert signed(empty, "/studies", secret="other").status == 403
    assert signed(empty, "/studies", key="AKIDOTHER").status == 403
    answer = signed(empty, "/studies", service="s3")
    assert "correct service: medical-imaging" in answer.json["message"]


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_signature_of_another_time_is_refused(empty: Web, minutes: int) -> None:
    answer = signed(empty, "/studies", at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert answer.status == 403
    assert "not within 5 minutes" in answer.json["message"]
    assert signed(empty, "/studies", at=datetime.now(UTC)).status == 200


def test_the_query_is_signed(empty: Web) -> None:
    request = AWSRequest("GET", f"{empty.url}/studies?limit=1", {"Accept": "*/*"})
    SigV4Auth(Credentials(KEY, SECRET), "medical-imaging", "us-east-1").add_auth(request)
    assert empty.send("GET", "/studies?limit=1", dict(request.headers.items())).status == 200
    assert empty.send("GET", "/studies?limit=2", dict(request.headers.items())).status == 403


def test_a_browsers_preflight_is_answered_without_a_signature(empty: Web) -> None:
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    answer = empty.send("OPTIONS", "/studies", headers)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    assert empty.get("/studies").headers["Access-Control-Allow-Origin"] == "*"


def test_another_data_store_or_route_does_not_exist(empty: Web) -> None:
    other = Web(empty.url[:-4] + "0000", empty.stand)
    assert signed(other, "/studies").status == 404
    assert signed(empty, "/studies/1.2/rendered").status == 404
    assert signed(empty, "/studies/1.2", method="POST", body=b"x").status in (400, 409)


def test_a_fault_is_answered_as_the_service_answers_it(empty: Web) -> None:
    empty.stand.faults.add(
        FailCall(operation="SearchDICOMStudies", error="ThrottlingException", message="slow")
    )
    answer = signed(empty, "/studies")
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (429, "ThrottlingException")
    assert signed(empty, "/studies").status == 200


def test_every_operation_can_be_throttled_and_can_fail() -> None:
    assert OPERATIONS == DICOMWEB_OPERATIONS


def test_the_documented_rates_are_kept() -> None:
    rates = Settings().limits.rates
    assert (rates["GetDICOMInstance"].per_second, rates["GetDICOMInstanceFrames"].burst) == (50, 100)
    assert "SearchDICOMStudies" not in rates
