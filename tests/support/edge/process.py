"""The edge as an operator runs it: a process of its own, on free ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_component.records.rows import InstanceRow
from edge_component.spool.folder import Spool
from tests.support.machine.waiting import wait_until

DEADLINE = 60.0


def in_spool(folder: Path) -> list[InstanceRow]:
    """What lies in the segments of a spool, needed or not, while an edge may be at work there."""
    spool, found = Spool(folder), list[InstanceRow]()
    for segment in spool.segment_names():
        with suppress(FileNotFoundError):
            found += [record.row for record in spool.records(segment)]
    return found


def peak_memory(pid: int) -> int:
    """Peak resident kilobytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


class EdgeProcess:
    """`python -m edge_component` with quick settings; `settings` are EDGE_ variables without the prefix."""

    def __init__(self, folder: Path, environment: dict[str, str], **settings: Any) -> None:
        self.spool = folder / "spool"
        self.log = folder / "edge.log"
        self.ready = folder / "ready.json"
        given = {
            "stack": "test",
            "name": "edge1",
            "bucket": "dicom",
            "event_bus": "ingest",
            "spool": str(self.spool),
            "bind": "127.0.0.1",
            "dicom_port": 0,
            "health_port": 0,
            "series_quiet_seconds": 0.5,
            "backoff_base_seconds": 0.05,
            "backoff_cap_seconds": 0.5,
            "disk_reserve_bytes": 0,
            "watermark_warn_percent": 100,
            "watermark_slow_percent": 100,
            "watermark_refuse_percent": 100,
            "drain_seconds": 10,
            **settings,
        }
        variables = {
            f"EDGE_{k.upper()}": v if isinstance(v, str) else json.dumps(v) for k, v in given.items()
        }
        path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])}
        self.environment = {**path, "PYTHONDONTWRITEBYTECODE": "1", **environment, **variables}
        self.process: subprocess.Popen[bytes] | None = None
        self.dicom_port = 0
        self.health_port = 0

    def start(self) -> EdgeProcess:
        """Start it and wait until it listens."""
        self.ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge_component", "--ready-file", str(self.ready)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self.ready.exists() or self._dead(), "the edge listens")
        if not self.ready.exists():
            raise AssertionError(f"the edge did not start:\n{self.log.read_text()}")
        ports = json.loads(self.ready.read_text())
        self.dicom_port, self.health_port = ports.get("dicom_port", 0), ports["health_port"]
        return self

    def _dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        """kill -9: receiver at once, the worker as soon as it notices."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        return self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def get(self, path: str) -> tuple[int, str]:
        """An answer of the health port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def status(self) -> dict[str, Any]:
        """The numbers."""
        found: dict[str, Any] = json.loads(self.get("/status")[1])
        return found

    def log_lines(self, message: str | None = None) -> list[dict[str, Any]]:
        """Lines of the log, those with this message."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if message is None or line["message"] == message]

    def __enter__(self) -> EdgeProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
