"""Receivers behind one interface: a process, started on a port and a folder, killed afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 60.0
STORESCP_TUNED = ("storescp", "--fork", "+xa", "-pm", "-pdu", "131072", "+B", "-dhl")
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Receiver:
    """How to start one. `raw`: it speaks the benchmark's own protocol, not DIMSE."""

    name: str
    command: Callable[[int, Path], list[str]]
    environment: Callable[[int, Path], Mapping[str, str]] = lambda _port, _folder: {}
    raw: bool = False
    missing: str | None = None
    """Why it cannot run here."""
    apart: str | None = None
    """A word in the command line of processes that do not receive, and are counted apart."""


@dataclass
class Running:
    """A started receiver; `root` is the process whose children are its other processes."""

    receiver: Receiver
    port: int
    root: int
    log: Path
    more: list[int] = field(default_factory=list)


@contextmanager
def running(receiver: Receiver, folder: Path) -> Iterator[Running]:
    """Start it in an empty folder; kill it at the end.

    Raises:
        RuntimeError: it does not listen.
    """
    port, data, log = free_port(), folder / "data", folder / "log"
    data.mkdir(parents=True)
    environment = {**os.environ, **receiver.environment(port, data)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            receiver.command(port, data), env=environment, stdout=output, stderr=output, cwd=REPOSITORY
        )
    try:
        _wait(process, port, log)
        yield Running(receiver, port, process.pid, log)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')}")


def _module(name: str, *options: str) -> Callable[[int, Path], list[str]]:
    return lambda port, folder: [sys.executable, "-m", name, str(port), str(folder), *options]


def edge_environment(port: int, folder: Path, **settings: str) -> dict[str, str]:
    """The edge's settings; S3 is at a port where nobody listens unless `endpoint` says otherwise."""
    endpoint = settings.pop("endpoint", f"http://127.0.0.1:{free_port()}")
    given = {
        "stack": "bench",
        "name": "edge1",
        "bucket": "dicom",
        "event_bus": "ingest",
        "bind": "127.0.0.1",
        "dicom_port": str(port),
        "health_port": "0",
        "spool": str(folder),
        "log_level": "WARNING",
        "drain_seconds": "0",
        **settings,
    }
    return {
        **{f"EDGE_{name.upper()}": value for name, value in given.items()},
        "MALLOC_ARENA_MAX": "2",  # as in the component's recipe
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


WORKER = "edge_component.worker"
EDGE = Receiver("edge", lambda *_: [sys.executable, "-m", "edge_component"], edge_environment, apart=WORKER)
STORESCP = Receiver(
    "storescp tuned",
    lambda port, folder: [*STORESCP_TUNED, "-od", str(folder), str(port)],
    lambda *_: {"TCP_NODELAY": "1"},
    missing=None
    if shutil.which("storescp")
    else "DCMTK's storescp is not installed (Debian: apt install dcmtk)",
)
PYNETDICOM = Receiver("pynetdicom", _module("benchmarks.receiving.plain_pynetdicom"))
LIMIT = Receiver("limit", _module("benchmarks.receiving.limit"), raw=True)
LIMIT_SYNCED = Receiver("limit, one sync", _module("benchmarks.receiving.limit", "--sync"), raw=True)
RECEIVERS = (EDGE, STORESCP, PYNETDICOM, LIMIT, LIMIT_SYNCED)
