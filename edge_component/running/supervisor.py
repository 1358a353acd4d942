"""Keeps the worker process alive."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress

from edge_component.running import logs
from edge_component.running.backoff import Backoff
from edge_component.settings import Settings

CHECK_SECONDS = 0.2
STEADY_SECONDS = 60.0
"""A worker that ran so long starts with a clean slate."""


class WorkerProcess:
    """Starts the worker, and starts it again when it dies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backoff = Backoff(1.0, 30.0, uniform=lambda _low, high: high)
        self._process: subprocess.Popen[str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process that works now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it and watch over it."""
        self._process = self._spawn()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Let it finish what it is at, but not for longer than this."""
        self._stop.set()
        self._thread.join()
        process = self._process
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 - a pipe by construction
        with suppress(OSError):  # it died just now
            process.stdin.write("stop\n")
            process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            logs.warning("worker did not end in time", seconds=seconds)
            process.kill()
            process.wait()

    def _spawn(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_component.worker"], stdin=subprocess.PIPE, text=True
        )
        assert process.stdin is not None  # noqa: S101 - a pipe by construction
        process.stdin.write(self._settings.model_dump_json() + "\n")
        process.stdin.flush()
        return process

    def _watch(self) -> None:
        deaths, started = 0, time.monotonic()
        while not self._stop.wait(CHECK_SECONDS):
            if self._process is not None and (code := self._process.poll()) is not None:
                deaths = 0 if time.monotonic() - started > STEADY_SECONDS else deaths + 1
                delay = self._backoff.delay(deaths - 1) if deaths else 0.0
                logs.error("worker died", exit_code=code, restart_in=delay)
                if self._stop.wait(delay):
                    return
                self._process, started = self._spawn(), time.monotonic()
                self.restarts += 1
