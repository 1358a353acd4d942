"""Invoking one of our functions by hand, as a schedule or an operator does."""

from __future__ import annotations

import json
from typing import Any

from local.clients.aws import Clients


class FunctionFailedError(RuntimeError):
    """The function raised, timed out or crashed; the message has its error."""


def invoke(clients: Clients, function_name: str, event: dict[str, Any]) -> Any:
    """The function's reply.

    Raises:
        FunctionFailedError: there is none.
    """
    answer = clients.functions.invoke(FunctionName=function_name, Payload=json.dumps(event))
    reply = json.load(answer["Payload"])
    if "FunctionError" in answer:
        kind, message = reply.get("errorType"), reply.get("errorMessage")
        raise FunctionFailedError(f"{function_name}: {kind}: {message}")
    return reply
