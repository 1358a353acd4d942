"""Whatever goes wrong, a person gets a page that says what and what to do, and a script gets its status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from werkzeug.test import Client

from console.application import Application
from console.run.changes import number
from console.run.sources import Sources
from dicom_ingest.contracts.messages.manifest import ManifestFormatError
from dicom_ingest.errors import DatabaseAwayError, IndexRefusedError

HERE = "http://127.0.0.1:11180"


class Failing:
    """A pipeline whose index raises this."""

    name, note, who, stack, bucket, state_machine_arn = "a run", "", "ana", "s", "b", "arn"
    datastore_id = viewer_url = send_to = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Raise it."""
        raise self._error
        yield

    writing = reading

    def client(self, _service: str) -> Any:
        """None is asked anything."""
        return SimpleNamespace()

    def edges(self) -> list[Any]:
        """No edge."""
        return []

    def held(self, _term: str) -> list[Any]:
        """No series."""
        return []


@pytest.fixture
def browse() -> Callable[..., Any]:
    """A request to the console of a pipeline that raises this."""

    def asked(error: Exception, path: str = "/", **more: Any) -> Any:
        client: Client[Any] = Client(Application(Sources(cast("Any", Failing(error)))))
        return client.open(path, base_url=HERE, headers={"Origin": HERE}, **more)

    return asked


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (DatabaseAwayError("no server"), 503, "The index does not answer: no server. Look again"),
        (EndpointConnectionError(endpoint_url="s3"), 502, "AWS does not answer: Could not connect"),
        (ManifestFormatError("not gzip"), 409, "The series cannot be processed again: not gzip"),
        (IndexRefusedError("SQLSTATE 22003", server_words="too big"), 400, "does not take a value: too big"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/live", "/slots", "/edges", "/study/1.2.3", "/bulk?change=cancel"])
def test_what_does_not_answer_is_named_on_the_page(
    browse: Callable[..., Any], error: Exception, status: int, words: str, path: str
) -> None:
    said = browse(error, path)
    assert said.status_code == status
    assert words in said.text
    assert "default-src 'none'" in said.headers["Content-Security-Policy"]


def test_a_change_that_met_a_stopped_index_is_said_to_be_in_doubt(browse: Callable[..., Any]) -> None:
    form = {"change": "pause", "datastore": "d"}
    said = browse(DatabaseAwayError("no server"), "/slots", method="POST", data=form)
    assert (said.status_code, "look before you repeat it" in said.text) == (503, True)


def test_a_fault_of_the_console_is_a_page_and_a_traceback_in_the_terminal(
    browse: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    said = browse(KeyError("Doe^Jane"))
    assert (said.status_code, "This page failed (KeyError)" in said.text) == (500, True)
    assert "Doe" not in said.text
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?q=a%00b", 400),
        ("/study/1.2%00", 400),
        (f"/series/2d9f0d3b-6b0f-4bd6-8d77-3b1b2c1c9a11/1.2/frames/{'9' * 5000}.png", 404),
    ],
)
def test_an_address_that_no_index_can_answer_never_reaches_it(
    browse: Callable[..., Any], path: str, status: int
) -> None:
    assert browse(AssertionError("the index was asked"), path).status_code == status


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 10, "-1", "1.5", "²", ""])
def test_a_number_that_no_ticket_can_have_is_none(text: str) -> None:
    assert number({"ticket": text}, "ticket") is None
    assert number({"ticket": "17"}, "ticket") == 17
