"""Lambda's Invoke as WSGI middleware: it answers for the functions it was told of, moto answers the rest.

Successes, exceptions, time-outs and crashes come back as Lambda reports them, so that the state machine
sees the same error names here and in the cloud.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from pydantic import ValidationError
from werkzeug.wrappers import Request, Response

from local.aws.lambda_environments import (
    EnvironmentEndedError,
    Environments,
    HandlerNotLoadedError,
    ThrottledError,
    Zygote,
)
from local.aws.lambda_functions import (
    FUNCTION_TABLE,
    MAX_PAYLOAD_BYTES,
    LambdaFunction,
    function_arn,
    function_name,
)

INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
TABLE = "/local/functions"
"""Not Lambda's: PUT the function table here, as JSON."""

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


class LambdaService:
    """Functions and their environments. `preload`: modules that every environment has imported."""

    def __init__(
        self,
        logs: Path,
        preload: Sequence[str] = (),
        functions: Sequence[LambdaFunction] = (),
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._zygote = Zygote(preload, logs, on_lost)
        self._functions: dict[str, Environments] = {}
        self.deploy(functions)

    def deploy(self, functions: Sequence[LambdaFunction]) -> None:
        """Know these functions from now on; environments of unchanged functions stay."""
        before, self._functions = self._functions, {}
        for function in functions:
            known = before.get(function.name)
            if known is not None and known.function == function:
                self._functions[function.name] = before.pop(function.name)
            else:
                self._functions[function.name] = Environments(function, self._zygote)
        for gone in before.values():
            gone.close()

    def invoke(self, name_or_arn: str, payload: str) -> Response:
        """One synchronous invocation."""
        environments = self._functions.get(function_name(name_or_arn) or "")
        if environments is None:
            arn = name_or_arn if name_or_arn.startswith("arn:") else function_arn(name_or_arn)
            return _refused(404, "ResourceNotFoundException", f"Function not found: {arn}")
        request_id = str(uuid4())
        request = {"payload": payload, "request_id": request_id, "arn": environments.function.arn}
        try:
            reply = environments.invoke(request)
        except ThrottledError as error:
            return _refused(429, "TooManyRequestsException", f"Rate Exceeded. {error}")
        except HandlerNotLoadedError as error:
            reply = {"error": error.report}
        except TimeoutError:
            reply = {"error": _timed_out(request_id, environments.function.timeout_seconds)}
        except EnvironmentEndedError as error:
            reply = {"error": _ended(request_id, error.status)}
        return _answer(reply, request_id)

    def close(self) -> None:
        """End every environment."""
        for environments in self._functions.values():
            environments.close()
        self._zygote.close()


class LambdaMiddleware:
    """Invocations go to the service, everything else to the application behind it."""

    def __init__(self, application: WSGIApplication, service: LambdaService) -> None:
        self._application = application
        self._service = service

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        # PATH_INFO is decoded already, also the colons of an ARN.
        path = environ.get("PATH_INFO", "")
        if match := INVOKE.fullmatch(path):
            response = self._invoke(unquote(match[1]), Request(environ))
        elif path == TABLE:
            response = self._deploy(Request(environ))
        else:
            return self._application(environ, start_response)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _invoke(self, name: str, request: Request) -> Response:
        if request.method != "POST":
            return _refused(405, "MethodNotAllowed", f"{request.method}: POST is allowed")
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return Response(status=204)
        if kind != "RequestResponse":
            message = f"InvocationType {kind}: here RequestResponse and DryRun are allowed"
            return _refused(400, "InvalidParameterValueException", message)
        body = request.get_data()
        if len(body) > MAX_PAYLOAD_BYTES:
            message = f"{len(body)} bytes: {MAX_PAYLOAD_BYTES} are allowed"
            return _refused(413, "RequestTooLargeException", message)
        payload = body.decode("utf-8") or "{}"
        try:
            json.loads(payload)
        except ValueError as error:
            return _refused(400, "InvalidRequestContentException", f"Could not parse request body: {error}")
        return self._service.invoke(name, payload)

    def _deploy(self, request: Request) -> Response:
        try:
            self._service.deploy(FUNCTION_TABLE.validate_json(request.get_data()))
        except ValidationError as error:
            return _refused(400, "InvalidParameterValueException", str(error))
        return Response(status=204)


def _refused(status: int, code: str, message: str) -> Response:
    """An error of the service itself, not of a function."""
    return Response(
        json.dumps({"Type": "User", "Message": message}),
        status=status,
        headers={"x-amzn-ErrorType": code, "x-amzn-RequestId": str(uuid4())},
        mimetype="application/json",
    )


def _answer(reply: dict[str, Any], request_id: str) -> Response:
    """HTTP 200 also when the function failed: then a header says so."""
    headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": "$LATEST"}
    payload = reply.get("payload")
    if payload is not None and len(payload.encode()) > MAX_PAYLOAD_BYTES:
        size = len(payload.encode())
        reply = {"error": _error(request_id, "Function.ResponseSizeTooLarge", f"Response of {size} bytes")}
    if "error" in reply:
        headers["X-Amz-Function-Error"] = "Unhandled"
        payload = json.dumps(reply["error"])
    return Response(payload, status=200, headers=headers, mimetype="application/json")


def _error(request_id: str, kind: str, message: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}


def _timed_out(request_id: str, seconds: float) -> dict[str, Any]:
    return _error(request_id, "Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")


def _ended(request_id: str, status: int | None) -> dict[str, Any]:
    reason = "without providing a reason"
    if status is not None and status < 0:
        reason = f"with error: signal: {signal.Signals(-status).name}"
    elif status:
        reason = f"with error: exit status {status}"
    return _error(request_id, "Runtime.ExitError", f"Runtime exited {reason}")
