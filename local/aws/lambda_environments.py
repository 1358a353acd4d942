"""The environments of the local Lambda service: started by the zygote, reused, capped, killed on time-out."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.aws.lambda_functions import REGION, LambdaFunction
from local.aws.lambda_zygote import send_start

LOAD_SECONDS = 30.0
"""Lambda gives an initialisation 10 s; a laptop that starts ten at once gets more."""
EXIT_NOTICE_SECONDS = 2.0


class Zygote:
    """The process that environments are forked from, and what became of them.

    `on_lost` is called when it ended by itself: without it no function can be started any more.
    """

    def __init__(self, preload: Sequence[str], logs: Path, on_lost: Callable[[], None] | None = None) -> None:
        self.logs = logs
        self._on_lost = on_lost
        self._closing = False
        self._lock = threading.Lock()
        self._ended = threading.Condition()
        self._status: dict[int, int] = {}
        self._control, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "local.aws.lambda_zygote", str(theirs.fileno()), *preload]
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        threading.Thread(target=self._listen, name="lambda-exits", daemon=True).start()

    def _listen(self) -> None:
        with self._control.makefile("r", encoding="utf-8") as notices:
            for line in notices:
                notice = json.loads(line)
                with self._ended:
                    self._status[notice["pid"]] = notice["status"]
                    self._ended.notify_all()
        if self._on_lost is not None and not self._closing:
            self._on_lost()

    def start(self, function: LambdaFunction) -> Environment:
        """A new environment of this function; it loads its handler while we go on."""
        ours, theirs = socket.socketpair()
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid4().hex}"
        message = {
            "handler": function.handler,
            "environment": _environment(function, stream),
            "log": str(self.logs / f"{function.name}.log"),
        }
        with theirs, self._lock:
            send_start(self._control, message, theirs)
        return Environment(ours, self)

    def exit_status(self, pid: int) -> int | None:
        """How an environment ended (negative: the signal); None: unknown."""
        with self._ended:
            self._ended.wait_for(lambda: pid in self._status, EXIT_NOTICE_SECONDS)
            return self._status.pop(pid, None)

    def close(self) -> None:
        """End it and every environment."""
        self._closing = True
        self._control.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._control.close()


class EnvironmentEndedError(Exception):
    """The environment ended in the middle of an invocation. `status`: its exit code, None if unknown."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class HandlerNotLoadedError(Exception):
    """The handler cannot be loaded. `report`: the error as Lambda words it."""

    def __init__(self, report: dict[str, Any]) -> None:
        super().__init__(report["errorMessage"])
        self.report = report


class Environment:
    """One environment, seen from the service. One invocation at a time."""

    def __init__(self, connection: socket.socket, zygote: Zygote) -> None:
        self._connection = connection
        self._zygote = zygote
        self._replies = connection.makefile("r", encoding="utf-8")
        self._pid: int | None = None
        self._loaded = False

    def invoke(self, request: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """The worker's reply.

        Raises:
            TimeoutError: not within its time.
            EnvironmentEndedError: it ended without an answer.
            HandlerNotLoadedError: there is no such handler.
        """
        self._load()
        self._connection.settimeout(timeout_seconds)
        try:
            line = json.dumps({**request, "deadline": time.time() + timeout_seconds})
            self._connection.sendall(line.encode() + b"\n")
        except BrokenPipeError as error:
            raise EnvironmentEndedError(self._exit_status()) from error
        return self._read()

    def _load(self) -> None:
        if self._loaded:
            return
        self._connection.settimeout(LOAD_SECONDS)
        self._pid = int(self._read()["pid"])
        answer = self._read()
        if "load_error" in answer:
            raise HandlerNotLoadedError(answer["load_error"])
        self._loaded = True

    def _read(self) -> dict[str, Any]:
        try:
            line = self._replies.readline()
        except ConnectionResetError:
            line = ""
        if not line:
            raise EnvironmentEndedError(self._exit_status())
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _exit_status(self) -> int | None:
        return None if self._pid is None else self._zygote.exit_status(self._pid)

    def close(self) -> None:
        """Kill it, whatever it does."""
        self._replies.close()
        self._connection.close()
        try:
            if self._pid is not None:
                os.kill(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class ThrottledError(Exception):
    """Every environment of the function is busy and stays so."""


class Environments:
    """All environments of one function: idle ones are reused, new ones started up to the cap."""

    def __init__(self, function: LambdaFunction, zygote: Zygote) -> None:
        self.function = function
        self._zygote = zygote
        self._changed = threading.Condition()
        self._idle: list[Environment] = []
        self._count = 0

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        """Hand one invocation to an environment; see `Environment.invoke` for what it raises.

        Raises:
            ThrottledError: none became free within the function's time-out.
        """
        environment = self._take()
        try:
            reply = environment.invoke(request, self.function.timeout_seconds)
        except BaseException:
            self._drop(environment)
            raise
        with self._changed:
            self._idle.append(environment)
            self._changed.notify()
        return reply

    def close(self) -> None:
        """End the idle ones; the others end with their invocation's error."""
        with self._changed:
            idle, self._idle = self._idle, []
        for environment in idle:
            self._drop(environment)

    def _take(self) -> Environment:
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._idle or self._count < self.function.concurrency, self.function.timeout_seconds
            )
            if not free:
                raise ThrottledError(f"{self.function.name}: {self._count} environments are busy")
            if self._idle:
                return self._idle.pop()
            self._count += 1
        return self._zygote.start(self.function)

    def _drop(self, environment: Environment) -> None:
        environment.close()
        with self._changed:
            self._count -= 1
            self._changed.notify()


def _environment(function: LambdaFunction, stream: str) -> dict[str, str]:
    """Everything that a function's environment holds: its own variables beside Lambda's."""
    return {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "_HANDLER": function.handler,
        "TZ": ":UTC",
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        **function.environment,
    }
