"""A run with a console, and dcmdata/ sent to its edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.server import listen, serve
from local.cli.demo import DCMDATA
from local.run.console_source import RunSource
from local.run.options import Options
from local.runtime import Runtime
from local.sending.dicom_folder import read_folder
from local.sending.sender import send


@dataclass(frozen=True)
class ConsoleRun:
    """The run and its console's address."""

    runtime: Runtime
    url: str
    runs: Path


@contextmanager
def console_run(runs: Path, **options: Any) -> Iterator[ConsoleRun]:
    """A run while the block runs; 91 instances of 7 series are on their way."""
    chosen: dict[str, Any] = {"name": "console", "quiet_seconds": 0.5, **options}
    with (
        Runtime(Options(runs=runs, **chosen)) as runtime,
        listen(0) as listener,
        serve(RunSource(runtime.state), listener) as url,
    ):
        sent = send(read_folder(DCMDATA).instances, "127.0.0.1", runtime.state.dicom_port or 0)
        assert len(sent.accepted) == 91
        yield ConsoleRun(runtime, url, runs)
