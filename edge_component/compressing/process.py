"""An encoder in a process of its own: it is started when it is needed, and again after it died or hung."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS_AT_LEAST = 60.0
BYTES_A_SECOND = 1_000_000
"""Slower than the slowest device: an encoder that takes longer hangs."""


class EncoderProcess:
    """Answers one request at a time; owned by one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The encoder's reply, or that it crashed: then the next request starts another one."""
        try:
            process = self._running()
        except OSError as error:
            return {"refused": "crashed", "reason": f"the encoder cannot be started: {error.strerror}"}
        assert process.stdin is not None  # noqa: S101 - pipes by construction
        assert process.stdout is not None  # noqa: S101
        patience = SECONDS_AT_LEAST + request["bytes"] / BYTES_A_SECOND
        clock = threading.Timer(patience, process.kill)
        clock.daemon = True
        clock.start()
        try:
            process.stdin.write(f"{json.dumps(request)}\n")
            process.stdin.flush()
            if line := process.stdout.readline():
                reply: dict[str, Any] = json.loads(line)
                return reply
        except (OSError, ValueError):
            pass
        finally:
            clock.cancel()
        self.close()
        return {"refused": "crashed", "reason": f"the encoder ended with code {process.returncode}"}

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe is not None:
                        pipe.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "edge_component.compressing.encoder", str(self._root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process
