"""A run with a console, and dcmdata/ sent to its edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.server import listen, serve
from local.cli.demo import DCMDATA
from local.postgres.databases import session
from local.run.console_source import RunSource
from local.run.options import Options
from local.runtime import Runtime
from local.sending.dicom_folder import read_folder
from local.sending.sender import send
from tests.support.machine.waiting import wait_until


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


@contextmanager
def imported(runs: Path) -> Iterator[ConsoleRun]:
    """A run while the block runs; all of dcmdata/ is in image sets."""
    with console_run(runs, fast_imports=True, start_rate=100, start_burst=100) as run:

        def all_over() -> bool:
            run.runtime.check()
            with session(run.runtime.state.database_url) as connection:
                rows = connection.run("SELECT FROM series_transfer WHERE state = 'OVER'")
            machine = run.runtime.state.state_machine_arn
            running = run.runtime.clients.stepfunctions.list_executions(
                stateMachineArn=machine, statusFilter="RUNNING"
            )
            return len(rows) == 7 and not running["executions"]

        wait_until(all_over)
        yield run
