"""`python -m local` and `python -m ops` as a user runs them: processes, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from local.run.wiring import REPOSITORY
from tests.support.machine.waiting import wait_until

START_SECONDS = 90.0
ANY_PORT = (
    *("--edge-port", "0", "--health-port", "0", "--console-port", "0"),
    *("--quiet-seconds", "0.5", "--fast-imports"),
)


def environment(**changes: str) -> dict[str, str]:
    """The caller's, with changes."""
    return {**os.environ, **changes}


def run(runs: Path, command: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """One command of the local runtime, to its end."""
    return _to_its_end("local", command, "--runs", str(runs), *arguments, **changes)


def ops(runs: Path, verb: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """One verb of the operator's command line, to its end."""
    return _to_its_end("ops", verb, "--runs", str(runs), *arguments, **changes)


def _to_its_end(module: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


class Up:
    """`up` in the background."""

    def __init__(self, runs: Path, *arguments: str, **changes: str) -> None:
        self.runs = runs
        self.output = runs / "up.out"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local", "up", "--runs", str(runs), *ANY_PORT, *arguments],
                cwd=REPOSITORY,
                env=environment(**changes),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """All of its output."""
        return self.output.read_text()

    def state(self) -> dict[str, Any]:
        """The state file, once it is there."""
        path = self.runs / "up" / "state.json"

        def ready() -> bool:
            assert self.process.poll() is None, self.said
            return path.exists()

        wait_until(ready, "the run is ready", START_SECONDS)
        state: dict[str, Any] = json.loads(path.read_text())
        return state

    def family(self) -> list[psutil.Process]:
        """It and everything that it started, PostgreSQL included."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def up(runs: Path, *arguments: str, **changes: str) -> Iterator[Up]:
    """A run while the block runs."""
    running = Up(runs, *arguments, **changes)
    try:
        yield running
    finally:
        running.stop()


def gone(processes: list[psutil.Process]) -> bool:
    """Has every one of them ended? (A zombie has.)"""
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            continue
    return True
