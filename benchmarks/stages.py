"""Where the time of a series goes: 400 CT slices of 512×512 through the whole local pipeline."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from dcmdata.generate import write_ct_series
from dicom_ingest.db.server.connection import Database
from local.run.options import Options
from local.runtime import Runtime
from local.sending.dicom_folder import read_folder
from local.sending.sender import send

SLICES = 400
QUIET_SECONDS = 2.0
DEADLINE_SECONDS = 300

_TIMES = """
SELECT t.first_received_at, t.last_received_at, t.sealed_at, t.indexed_at, j.granted_at, j.running_at,
    j.import_over_at, j.over_at, t.instance_count, t.total_bytes, t.outcome
FROM series_transfer t JOIN ahlijob j ON j.series_transfer_pk = t.pk WHERE t.state = 'OVER'
"""

STAGES = (
    ("receive", "first_received_at", "last_received_at"),
    ("quiet time, seal", "last_received_at", "sealed_at"),
    ("upload the rest, announce, index", "sealed_at", "indexed_at"),
    ("wait for a slot", "indexed_at", "granted_at"),
    ("start the import", "granted_at", "running_at"),
    ("import, poll, record", "running_at", "import_over_at"),
    ("give the slot back", "import_over_at", "over_at"),
)


def run() -> dict[str, Any]:
    """Send the series, follow it, and split its time by stage."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        write_ct_series(Path(folder) / "ct", slices=SLICES)
        options = Options(name="bench", runs=Path(folder), quiet_seconds=QUIET_SECONDS, fast_imports=True)
        with Runtime(options) as runtime, peak_memory(runtime.parts["edge"].pid or 0) as memory:
            files = read_folder(Path(folder) / "ct").instances
            began = time.monotonic()
            send(files, str(runtime.state.dicom_host), int(runtime.state.dicom_port or 0))
            sent_seconds = time.monotonic() - began
            row = _over(runtime.state.database_url)
            edge_mebibytes = memory[0] / 2**20
    stages = {name: _seconds(row[begin], row[end]) for name, begin, end in STAGES}
    total = _seconds(row["first_received_at"], row["over_at"])
    _show(console, stages, total)
    console.print(
        f"{row['instance_count']} instances, {row['total_bytes'] / 1e6:.0f} MB, {row['outcome']}; sent in "
        f"{sent_seconds:.1f} s; the edge's processes together held {edge_mebibytes:.0f} MiB at most"
    )
    return {
        "instances": row["instance_count"],
        "bytes": row["total_bytes"],
        "outcome": row["outcome"],
        "send_seconds": round(sent_seconds, 2),
        "total_seconds": round(total, 2),
        "stages": {name: round(seconds, 3) for name, seconds in stages.items()},
        "share_of_total": {name: round(seconds / total, 3) for name, seconds in stages.items()},
        "edge_peak_mebibytes": round(edge_mebibytes, 1),
    }


def _over(database_url: str) -> dict[str, Any]:
    database = Database(database_url)
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while time.monotonic() < deadline:
            with database.transaction() as connection:
                row = connection.one(_TIMES)
            if row is not None:
                return row
            time.sleep(0.2)
    finally:
        database.close()
    raise TimeoutError(f"the series was not over after {DEADLINE_SECONDS} s")


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()


def _show(console: Console, stages: dict[str, float], total: float) -> None:
    table = Table("stage", "seconds", "share", title=f"{SLICES} CT slices, end to end in {total:.1f} s")
    for name, seconds in stages.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / total:.0%}")
    console.print(table)


@contextmanager
def peak_memory(pid: int) -> Iterator[list[float]]:
    """The most that a process and its children held together, in bytes; shared pages count once (PSS)."""
    peak = [0.0]
    stop = threading.Event()

    def watch() -> None:
        root = psutil.Process(pid)
        while not stop.wait(0.1):
            held = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    held += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            peak[0] = max(peak[0], held)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
