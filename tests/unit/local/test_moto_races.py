"""A task token's answer survives moto's race with executions that are just being started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from local.aws.moto_races import RetriedTaskTokens

TOKEN = {"X-Amz-Target": "AWSStepFunctions.SendTaskSuccess"}


class Application:
    """Fails inside a few times, then echoes."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        if self.calls <= self.failures:
            raise AttributeError("'NoneType' object has no attribute 'callback_pool_manager'")
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]


def test_it_is_asked_again_with_the_same_body_until_it_answers() -> None:
    application = Application(failures=3)
    client: Any = Client(RetriedTaskTokens(application))
    answer: Response = client.post("/", data=b'{"taskToken": "t"}', headers=TOKEN)
    assert (answer.status_code, answer.data, application.calls) == (200, b'{"taskToken": "t"}', 4)


def test_an_error_that_stays_is_passed_on() -> None:
    application = Application(failures=10)
    with pytest.raises(AttributeError):
        Client(RetriedTaskTokens(application, attempts=2)).post("/", data=b"{}", headers=TOKEN)
    assert application.calls == 2


def test_other_calls_are_made_once() -> None:
    application = Application(failures=1)
    headers = {"X-Amz-Target": "AWSStepFunctions.StartExecution"}
    with pytest.raises(AttributeError):
        Client(RetriedTaskTokens(application)).post("/", data=b"{}", headers=headers)
    assert application.calls == 1
