"""Threads of the runtime: trouble with AWS passes, anything else is seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from botocore.exceptions import EndpointConnectionError

from local.parts.background import Background


def script(*steps: Exception | None) -> tuple[Iterator[Exception | None], threading.Event]:
    return iter(steps), threading.Event()


def test_an_aws_call_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    steps, done = script(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), None)

    def work() -> None:
        step = next(steps, None)
        if step is not None:
            raise step
        done.set()

    thread = Background("pump", work, pause_seconds=0.01)
    thread.start()
    assert done.wait(30)
    thread.stop()
    assert thread.error is None
    assert "pump: trying again" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_any_other_error_ends_the_thread_and_is_kept_for_the_watch() -> None:
    def work() -> None:
        raise KeyError("a mistake of ours")

    thread = Background("pump", work)
    thread.start()
    thread.stop()
    assert isinstance(thread.error, KeyError)


def test_stopping_a_thread_that_never_started_is_legal() -> None:
    Background("pump", lambda: None).stop()
