"""Keeps the worker process alive. It says something once a second: one that hangs is killed and replaced."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from edge_component.running import logs
from edge_component.running.backoff import Backoff
from edge_component.running.beats import Beats
from edge_component.running.problem import Problem, decode_problems, encode_problems
from edge_component.running.startup import StartError
from edge_component.running.task import Task
from edge_component.settings import Settings

CHECK_SECONDS = 0.2
STEADY_SECONDS = 60.0
"""A worker that ran as long is not to blame for those before it: the next one starts at once."""
START_SECONDS = 60.0
"""Until the first beat: Python loads, and waits for the lock of a worker before it."""
RESTARTS = Backoff(1.0, 30.0, uniform=lambda _low, high: high)


@dataclass(frozen=True)
class WorkerReport:
    """One beat of the worker. `facts`: what it knows of sending; `cannot_start`: its last words."""

    problems: list[Problem] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    cannot_start: str | None = None

    def encode(self) -> str:
        """One line of text."""
        return json.dumps(
            {
                "problems": encode_problems(self.problems),
                "facts": self.facts,
                "cannot_start": self.cannot_start,
            }
        )

    @classmethod
    def decode(cls, line: str) -> WorkerReport:
        """What `encode` made."""
        said = json.loads(line)
        return cls(decode_problems(said["problems"]), said["facts"], said["cannot_start"])


class WorkerProcess:
    """Starts the worker, and starts it again when it dies or hangs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._beats = Beats()
        self._first = threading.Event()
        """The running worker has said something, or has ended."""
        self._task = Task("supervisor", self._look, CHECK_SECONDS)
        self._deaths = 0
        self._started_at = self._restart_at = time.monotonic()
        self.report = WorkerReport()
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process that works now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it, wait until it works, and watch it.

        Raises:
            StartError: it cannot start; the message is its own.
        """
        self._process = self._spawn()
        self._first.wait(START_SECONDS)
        if self.report.cannot_start is not None:
            raise StartError(self.report.cannot_start)
        self._task.start()

    def tell(self, facts: dict[str, Any]) -> None:
        """Let the worker know what only the edge knows, for its heartbeat."""
        self._write(json.dumps(facts))

    def problems(self) -> list[Problem]:
        """What is wrong with it, and what it says is wrong."""
        found = [self._task.problem] if self._task.problem else []
        if self.pid is None or self.report.cannot_start:
            why = f": {self.report.cannot_start}" if self.report.cannot_start else ""
            reason = f"the worker is not running, nothing is uploaded{why}"
            return [*found, Problem("worker", reason, "a-process-ends", "failed")]
        return found + self.report.problems

    def stop(self, seconds: float) -> None:
        """Let it finish its current steps, within this time."""
        self._task.stop()
        self._task.join(seconds)
        process = self._process
        if process is None:
            return
        self._write("stop")
        with suppress(OSError):
            assert process.stdin is not None  # noqa: S101 - a pipe by construction
            process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            logs.warning("worker did not end in time", seconds=seconds)
            process.kill()
            process.wait()

    def _write(self, line: str) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 - a pipe by construction
        with suppress(OSError, ValueError):  # it has just died, or its pipe was closed
            process.stdin.write(f"{line}\n")
            process.stdin.flush()

    def _spawn(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_component.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._started_at = time.monotonic()
        self._beats = Beats()
        self._first.clear()
        self._process = process
        threading.Thread(target=self._listen, args=(process, self._beats), name="worker", daemon=True).start()
        self._write(self._settings.model_dump_json())
        return process

    def _listen(self, process: subprocess.Popen[str], beats: Beats) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe by construction
        with process.stdout:
            for line in process.stdout:
                report = WorkerReport.decode(line)
                beats.heard()
                if process is self._process:
                    self.report = report
                    self._first.set()
        self._first.set()

    def _look(self) -> bool:
        process = self._process
        if process is None:
            if time.monotonic() >= self._restart_at:
                self._spawn()
                self.restarts += 1
        elif (code := process.poll()) is None:
            self._kill_if_hung(process)
        else:
            self._died(code)
        return False

    def _kill_if_hung(self, process: subprocess.Popen[str]) -> None:
        patience = self._settings.hung_seconds
        if not self._first.is_set():
            patience = max(patience, START_SECONDS)
        if (silence := self._beats.silence()) > patience:
            logs.error("worker hangs", pid=process.pid, silent_seconds=round(silence, 1))
            process.kill()
            process.wait()

    def _died(self, code: int) -> None:
        steady = time.monotonic() - self._started_at > STEADY_SECONDS
        self._deaths = 0 if steady else self._deaths + 1
        delay = RESTARTS.delay(self._deaths - 1) if self._deaths else 0.0
        logs.error("worker died", exit_code=code, reason=self.report.cannot_start, restart_in=delay)
        self._process, self._restart_at = None, time.monotonic() + delay
