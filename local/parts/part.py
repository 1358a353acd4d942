"""One process of the runtime: started with a log of its own, watched, stopped, gone with its parent."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.processes.guard import GUARD
from local.run.wiring import REPOSITORY

READY_SECONDS = 90.0
KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "SSL_CERT_FILE", "PYTHONPATH", "PYTHONPYCACHEPREFIX")
"""Of the caller's environment: no AWS profile, no proxy, no EDGE_ setting reaches a part by accident."""


class PartFailedError(RuntimeError):
    """A part did not start, or ended by itself; the message has the end of its log."""


class Part:
    """One process, ``python -m MODULE ARGUMENT…``."""

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.ready_file = folder / f"{name}.ready.json"
        kept = {key: os.environ[key] for key in KEPT if key in os.environ}
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = {**kept, "PYTHONUNBUFFERED": "1", **environment}

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return self._process.pid if self._process else None

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C in the terminal is the runtime's to handle."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules
                self._command,
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        GUARD.watch_group(self._process.pid)

    def wait_ready_file(self) -> dict[str, Any]:
        """What it says of itself once it is ready.

        Raises:
            PartFailedError: it ended instead, or takes too long.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready_file.exists():
            self._check(deadline)
        content: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return content

    def wait_line(self, pattern: str) -> re.Match[str]:
        """The first line of its log that matches.

        Raises:
            PartFailedError: it ended instead, or takes too long.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            if match := re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace")):
                return match
            self._check(deadline)

    def _check(self, deadline: float) -> None:
        if self.ended is not None:
            raise self.failure()
        if time.monotonic() > deadline:
            raise PartFailedError(f"{self.name} is not ready after {READY_SECONDS:.0f} s, see {self.log}")
        time.sleep(0.02)

    def failure(self) -> PartFailedError:
        """How it ended, with the end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        said = "\n  ".join(lines) or "it said nothing"
        return PartFailedError(
            f"{self.name} ended by itself (status {self.ended}):\n  {said}\n  ({self.log})"
        )

    def stop(self, grace_seconds: float = 10) -> None:
        """SIGTERM, and SIGKILL for its whole group when it does not end in time."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        GUARD.forget_group(process.pid)

    def kill(self) -> None:
        """As a crash would end it."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
