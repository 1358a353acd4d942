"""WSGI middleware against one race in moto's Step Functions (5.2.5).

Every task token is looked for in all running executions; one that has just been started and is still
being parsed has no environment yet, and the call ends with an AttributeError. Nothing was delivered then,
so it is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from werkzeug.test import run_wsgi_app

TARGET = "AWSStepFunctions.SendTask"
ATTEMPTS = 250
PAUSE_SECONDS = 0.02


class RetriedTaskTokens:
    """Calls that answer a task token are repeated for five seconds while moto fails inside."""

    def __init__(
        self, application: Callable[[dict[str, Any], Any], Iterable[bytes]], attempts: int = ATTEMPTS
    ) -> None:
        self._application = application
        self._attempts = attempts

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith(TARGET):
            return self._application(environ, start_response)
        request = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        for _ in range(self._attempts - 1):
            try:
                return self._call(environ, request, start_response)
            except AttributeError:
                time.sleep(PAUSE_SECONDS)
        return self._call(environ, request, start_response)

    def _call(self, environ: dict[str, Any], request: bytes, start_response: Any) -> Iterable[bytes]:
        again = {**environ, "wsgi.input": BytesIO(request)}
        body, status, headers = run_wsgi_app(self._application, again, buffered=True)
        start_response(status, headers.to_wsgi_list())
        return list(body)
