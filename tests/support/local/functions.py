"""Small handlers for the tests of the local Lambda service: each does one thing that a function may do."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

calls = 0


class SlotLostError(Exception):
    """An error of a function's own."""


def echo(event: Any, _context: Any) -> Any:
    """The event, as it came."""
    return event


def count(_event: Any, _context: Any) -> dict[str, int]:
    """Module state: how many invocations this environment has seen."""
    global calls
    calls += 1
    return {"calls": calls, "pid": os.getpid()}


def environment(_event: Any, _context: Any) -> dict[str, str]:
    """The whole environment."""
    return dict(os.environ)


def context(_event: Any, context: Any) -> dict[str, Any]:
    """What the context object says."""
    return {
        "function_name": context.function_name,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "invoked_function_arn": context.invoked_function_arn,
        "aws_request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
    }


def fail(event: Any, _context: Any) -> None:
    """Raises an error of its own."""
    raise SlotLostError(event["why"])


def hang(_event: Any, _context: Any) -> None:
    """Never returns."""
    threading.Event().wait()


def leave(event: Any, _context: Any) -> None:
    """Ends the process."""
    sys.exit(event["status"])


def die(_event: Any, _context: Any) -> None:
    """As if the kernel had run out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def unserialisable(_event: Any, _context: Any) -> Any:
    """Something that JSON cannot hold."""
    return {1, 2}


def too_much(_event: Any, _context: Any) -> str:
    """More than a response may hold."""
    return "x" * (7 * 1024 * 1024)


def meet(event: Any, _context: Any) -> int:
    """Waits for another environment to open the other end of a named pipe: needs two at a time."""
    with open(event["pipe"], event["mode"]) as pipe:  # noqa: PTH123 - a named pipe
        return len(pipe.read(1)) if event["mode"] == "r" else pipe.write("x")
