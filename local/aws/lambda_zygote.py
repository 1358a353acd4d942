"""A process that has imported what handlers need and forks a Lambda environment when told: in 10 ms, not 600.

It has one thread, so forking is safe. ``python -m local.aws.lambda_zygote FD MODULE…``: FD is a socket; on it
come a length, a JSON message (handler, environment, log) and the environment's own socket; back go JSON
lines ``{"pid", "status"}`` of environments that ended.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from local.aws import lambda_worker

LENGTH = struct.Struct("!I")


def send_start(control: socket.socket, message: dict[str, Any], connection: socket.socket) -> None:
    """Ask for an environment that speaks over this connection."""
    body = json.dumps(message).encode()
    socket.send_fds(control, [LENGTH.pack(len(body))], [connection.fileno()])
    control.sendall(body)


def _receive_start(control: socket.socket) -> tuple[dict[str, Any], socket.socket] | None:
    """The next request for an environment; None at the end."""
    header, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, 1)
    if not header:
        return None
    body = bytearray()
    length: int = LENGTH.unpack(header)[0]
    while len(body) < length:
        body += control.recv(length - len(body))
    return json.loads(body), socket.socket(fileno=descriptors[0])


class Zygote:
    """Forks environments and reports how they ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)

    def run(self) -> None:
        """Serve until the other end hangs up; then no environment is left."""
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._control.fileno() in ready:
                request = _receive_start(self._control)
                if request is None:
                    break
                self._fork(*request)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        # There is nothing to tidy up, and a hundred modules would take a while.
        os._exit(0)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            notice = {"pid": pid, "status": os.waitstatus_to_exitcode(status)}
            self._control.sendall(json.dumps(notice).encode() + b"\n")

    def _fork(self, message: dict[str, Any], connection: socket.socket) -> None:
        pid = os.fork()
        if pid:
            self._children.add(pid)
            connection.close()
            return
        status = 1
        try:
            self._become_environment(message, connection)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BrokenPipeError:
            pass  # the service is gone
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _become_environment(self, message: dict[str, Any], connection: socket.socket) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self._control.close()
        with Path(message["log"]).open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        lambda_worker.serve(connection, message["handler"], message["environment"])


def main(arguments: list[str]) -> None:
    """Import, then fork on demand."""
    # Ctrl-C reaches the whole terminal; the end of the service is what ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in arguments[1:]:
        importlib.import_module(module)
    Zygote(socket.socket(fileno=int(arguments[0]))).run()


if __name__ == "__main__":
    main(sys.argv[1:])
