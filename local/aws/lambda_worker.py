"""One Lambda environment: loads one handler, answers one invocation at a time, keeps the module's state.

Started by forking (``lambda_zygote``). Speaks JSON lines over a socket: first ``{"pid": …}``, then a
reply per request. A request: payload, request_id, deadline (Unix time). A reply: payload or error.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Handler = Callable[[Any, "Context"], Any]


@dataclass(frozen=True)
class Context:
    """The context object that Lambda hands to a handler.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    aws_request_id: str
    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before the time-out."""
        return max(0, int((self.deadline - time.time()) * 1000))


def lambda_error(error: BaseException, request_id: str, error_type: str | None = None) -> dict[str, Any]:
    """An exception as Lambda's Python runtime reports it: the type is the class's own name."""
    return {
        "errorMessage": str(error),
        "errorType": error_type or type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def load(handler: str) -> Handler:
    """The function that a handler string names.

    Raises:
        ImportError, AttributeError: there is none; anything that its module raises.
    """
    module, _, name = handler.rpartition(".")
    loaded: Handler = getattr(importlib.import_module(module), name)
    return loaded


def _load_error(error: Exception, handler: str) -> dict[str, Any]:
    """Why a handler could not be loaded, in the runtime's words."""
    kinds = {
        ImportError: "Runtime.ImportModuleError",
        SyntaxError: "Runtime.UserCodeSyntaxError",
        AttributeError: "Runtime.HandlerNotFound",
    }
    kind = next((name for cause, name in kinds.items() if isinstance(error, cause)), None)
    found = lambda_error(error, "", kind)
    return {**found, "errorMessage": f"Unable to load {handler!r}: {error}"} if kind else found


def invoke(handler: Handler, request: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Call the handler once; its exception becomes the reply, as in Lambda's runtime."""
    request_id = str(request["request_id"])
    context = Context(
        aws_request_id=request_id,
        function_name=environment["AWS_LAMBDA_FUNCTION_NAME"],
        memory_limit_in_mb=int(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]),
        invoked_function_arn=str(request["arn"]),
        log_group_name=environment["AWS_LAMBDA_LOG_GROUP_NAME"],
        log_stream_name=environment["AWS_LAMBDA_LOG_STREAM_NAME"],
        deadline=float(request["deadline"]),
    )
    try:
        result = handler(json.loads(request["payload"]), context)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the invocation's answer
        return {"error": lambda_error(error, request_id)}
    try:
        return {"payload": json.dumps(result, ensure_ascii=False)}
    except (TypeError, ValueError) as error:
        return {"error": lambda_error(error, request_id, "Runtime.MarshalError")}


def _logged(handler: Handler, request: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The invocation between the lines that Lambda itself writes."""
    request_id, began = request["request_id"], time.perf_counter()
    print(f"START RequestId: {request_id} Version: $LATEST", flush=True)  # noqa: T201 - the function's log
    reply = invoke(handler, request, environment)
    if "error" in reply:
        print(f"[ERROR] {json.dumps(reply['error'])}", flush=True)  # noqa: T201
    milliseconds = (time.perf_counter() - began) * 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"END RequestId: {request_id}", flush=True)  # noqa: T201
    report = (
        f"Duration: {milliseconds:.2f} ms\tMemory Size: {environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']} MB"
    )
    print(f"REPORT RequestId: {request_id}\t{report}\tMax Memory Used: {peak} MB", flush=True)  # noqa: T201
    return reply


def serve(connection: socket.socket, handler_name: str, environment: Mapping[str, str]) -> None:
    """Answer invocations until the other end hangs up; after a handler that cannot be loaded, one answer."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    with connection, connection.makefile("r", encoding="utf-8") as requests:

        def send(message: dict[str, Any]) -> None:
            connection.sendall(json.dumps(message).encode() + b"\n")

        send({"pid": os.getpid()})
        try:
            handler = load(handler_name)
        except Exception as error:  # noqa: BLE001 - a module may raise anything; Lambda reports it
            traceback.print_exc()
            send({"load_error": _load_error(error, handler_name)})
            return
        send({"loaded": True})
        for line in requests:
            send(_logged(handler, json.loads(line), environment))
            sys.stdout.flush()
