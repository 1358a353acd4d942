"""What X-Ray is told: read from a real UDP socket in the daemon's place."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import ImportState, OutcomeState
from dicom_ingest.errors import ManifestRejectedError
from dicom_ingest.runtime.step import step
from dicom_ingest.runtime.traces import DAEMON, HEADER, TRACE, traced
from tests.support.workflow.lambda_context import lambda_context

ROOT_ID, PARENT_ID = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT_ID};Parent={PARENT_ID};Sampled=1;Lineage=1:a87bd80c:0"


class Asked(BaseModel):
    broken: bool = False


def ask(request: Asked) -> OutcomeState:
    if request.broken:
        raise ManifestRejectedError("altered")
    return OutcomeState(name=Outcome.PARTIAL, detail="words of HealthImaging", instances=3, imported=2)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """X-Ray's daemon, as far as it is a socket; the invocation is sampled."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        monkeypatch.setenv(DAEMON, f"127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setenv(TRACE, SAMPLED)
        yield listening


def received(daemon: socket.socket) -> dict[str, Any]:
    """The next subsegment."""
    header, _, body = daemon.recv(65536).partition(b"\n")
    assert header + b"\n" == HEADER
    found: dict[str, Any] = json.loads(body)
    return found


def run(**event: Any) -> None:
    reference = {"transfer_id": "b9c3", "series_instance_uid": "1.2.3", "correlation_id": "b9c3/1.2.3"}
    step(ask)({"series_transfer": reference, **event}, lambda_context())


def test_a_step_is_a_subsegment_below_lambdas_own_annotated_with_transfer_and_outcome(
    daemon: socket.socket,
) -> None:
    before = time.time()
    run()
    found = received(daemon)
    assert (found["type"], found["name"], found["fault"]) == ("subsegment", "ask", False)
    assert (found["trace_id"], found["parent_id"]) == (ROOT_ID, PARENT_ID)
    assert before <= found["start_time"] <= found["end_time"] <= time.time()
    assert len(bytes.fromhex(found["id"])) == 8
    assert found["annotations"] == {"step": "ask", "transfer_id": "b9c3", "outcome": "PARTIAL"}


def start(request: Asked) -> ImportState:
    return ImportState(status="SUBMITTED", import_id="b2c9", bundle=None if request.broken else 4711)


def test_all_series_of_an_import_are_found_by_its_id_and_by_their_bundle(daemon: socket.socket) -> None:
    step(start)({}, lambda_context())
    assert received(daemon)["annotations"] == {"step": "start", "import_id": "b2c9", "bundle": 4711}
    run(**{"import": {"status": "COMPLETED", "import_id": "b2c9", "bundle": 4711}})
    assert {"import_id": "b2c9", "bundle": 4711}.items() <= received(daemon)["annotations"].items()
    step(start)({"broken": True}, lambda_context())
    assert received(daemon)["annotations"] == {"step": "start", "import_id": "b2c9"}


def test_no_uid_and_no_words_reach_a_trace(daemon: socket.socket) -> None:
    run()
    told = json.dumps(received(daemon))
    assert "1.2.3" not in told
    assert "words" not in told


def test_an_error_is_a_fault_with_its_name(daemon: socket.socket) -> None:
    with pytest.raises(ManifestRejectedError):
        run(broken=True)
    found = received(daemon)
    assert found["fault"] is True
    assert found["annotations"]["error"] == "ManifestRejectedError"
    assert "altered" not in json.dumps(found)


@pytest.mark.parametrize("trace", ["", SAMPLED.replace("Sampled=1", "Sampled=0"), "Sampled=1", "nonsense"])
def test_what_is_not_sampled_is_not_sent(
    trace: str, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACE, trace)
    run()
    monkeypatch.setenv(TRACE, SAMPLED)
    with traced("after", {}):
        pass
    assert received(daemon)["name"] == "after"


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:0"])
def test_a_series_does_not_fail_because_nobody_watches(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACE, SAMPLED)
    monkeypatch.setenv(DAEMON, address)
    run()
