"""Many small series through the local runtime: where their time goes, and what Step Functions would bill."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.histories import Histories
from benchmarks.processes import cpu_seconds
from dcmdata.generate.load import write_small_series
from dicom_ingest.db.server.connection import Database
from local.demo.exports import export
from local.run.options import Options
from local.runtime import Runtime
from local.sending.dicom_folder import read_folder
from local.sending.sender import send

SERIES, SERIES_FULL, INSTANCES, ASSOCIATIONS = 40, 200, 4, 4
DEADLINE_SECONDS = 1800
STARTS_PER_SECOND = 100
"""Not HealthImaging's one: what is ours shall show."""
STAGES = (
    ("receive", "first_received_at", "last_received_at"),
    ("quiet time, seal", "last_received_at", "sealed_at"),
    ("upload the rest, announce", "sealed_at", "announced_at"),
    ("start the execution", "announced_at", "started_at"),
    ("index", "started_at", "indexed_at"),
    ("wait for a slot", "indexed_at", "granted_at"),
    ("start the import", "granted_at", "running_at"),
    ("import, poll, record", "running_at", "import_over_at"),
    ("give the slot back", "import_over_at", "over_at"),
)

_TIMES = """
SELECT t.series_instance_uid, t.first_received_at, t.last_received_at, t.sealed_at, t.announced_at,
    t.indexed_at, j.granted_at, j.running_at, j.import_over_at, j.over_at, t.outcome,
    j.import_id
FROM series_transfer t JOIN ahlijob j ON j.series_transfer_pk = t.pk WHERE t.state = 'OVER'
"""


def run(*, full: bool = False) -> dict[str, Any]:
    """Send them on a few associations, wait for the last, read histories and index."""
    count = SERIES_FULL if full else SERIES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_small_series(folder / "series", series=count, instances=INSTANCES)
        options = Options(
            name="bench",
            runs=folder / "runs",
            quiet_seconds=2.0,
            fast_imports=True,
            import_slots=100,
            start_rate=STARTS_PER_SECOND,
            start_burst=STARTS_PER_SECOND,
        )
        with Runtime(options) as runtime:
            before = _processor_seconds(runtime)
            began = time.perf_counter()
            send_all(folder / "series", str(runtime.state.dicom_host), int(runtime.state.dicom_port or 0))
            sent = time.perf_counter() - began
            rows = until_over(runtime.state.database_url, count)
            seconds = time.perf_counter() - began
            used = {part: after - before[part] for part, after in _processor_seconds(runtime).items()}
            export(runtime.clients, runtime.state.state_machine_arn, folder / "out")
        histories = Histories(folder / "out" / "executions")
    started = histories.started()
    for row in rows:
        row["started_at"] = started[row["series_instance_uid"]]
    figures = {
        "series": count,
        "instances": count * INSTANCES,
        "outcomes": dict(Counter(row["outcome"] for row in rows)),
        "send_seconds": round(sent, 2),
        "seconds": round(seconds, 2),
        "series_per_second": round(count / seconds, 2),
        "median_seconds_by_stage": {
            stage: round(median((row[end] - row[begin]).total_seconds() for row in rows), 2)
            for stage, begin, end in STAGES
        },
        "median_seconds_by_state": histories.seconds_by_state(),
        "processor_milliseconds_a_series": {
            part: round(1000 * spent / count, 1) for part, spent in used.items()
        },
        **histories.cost(),
    }
    _show(figures)
    return figures


def _processor_seconds(runtime: Runtime) -> dict[str, float]:
    """By part; the functions are children of the process that moto runs in."""
    parts = runtime.state.parts
    used = {name: cpu_seconds(pid) for name, pid in parts.items()}
    moto = cpu_seconds(parts["aws"], alone=True)
    found = {"moto": moto, "functions": used.pop("aws") - moto, **used}
    if runtime.postgres is not None and runtime.postgres.pid is not None:
        found["postgres"] = cpu_seconds(runtime.postgres.pid)
    return found | {"pump, sender": time.process_time()}


def send_all(folder: Path, host: str, port: int) -> None:
    """Send the files of a folder over a few associations."""
    files = read_folder(folder).instances
    shares = [files[number::ASSOCIATIONS] for number in range(ASSOCIATIONS)]
    with ThreadPoolExecutor(ASSOCIATIONS) as pool:
        for sent in pool.map(lambda share: send(share, host, port), shares):
            if sent.refused:
                raise RuntimeError(f"{len(sent.refused)} instances were refused: {sent.refused[0][1]}")


def until_over(database_url: str, count: int) -> list[dict[str, Any]]:
    """The times of the series, once all of them have ended."""
    database = Database(database_url)
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while time.monotonic() < deadline:
            with database.transaction() as connection:
                rows = connection.run(_TIMES)
            if len(rows) >= count and all(row["over_at"] for row in rows):
                return rows
            time.sleep(0.2)
    finally:
        database.close()
    raise TimeoutError(f"{count} series were not over after {DEADLINE_SECONDS} s")


def _show(figures: dict[str, Any]) -> None:
    console = Console()
    title = f"{figures['series']} series of {INSTANCES}: {figures['seconds']} s, {figures['outcomes']}"
    table = Table("stage or state", "median seconds", title=title)
    for stage, seconds in {
        **figures["median_seconds_by_stage"],
        **figures["median_seconds_by_state"],
    }.items():
        table.add_row(stage, f"{seconds:.2f}")
    console.print(table)
    names = ("processor_milliseconds_a_series", "transitions", "history_events", "by_import_seconds")
    console.print({name: figures[name] for name in names})
