"""Many small series through the local runtime: where their time goes, and what Step Functions would bill."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.stages import STAGES
from dcmdata.generate.load import write_small_series
from dicom_ingest.db.connection import Database
from dicom_ingest.polling import most_polls
from local.dicom_folder import read_folder
from local.exports import export
from local.options import Options
from local.runtime import Runtime
from local.sender import send
from statemachines.history import ordinary

SERIES, SERIES_FULL, INSTANCES, ASSOCIATIONS = 40, 200, 4, 4
DEADLINE_SECONDS = 1800
IMPORT_SECONDS = (600, 3600, 86400)
TRANSITION = "Entered"
"""Each state that is entered is a transition; the start of the execution is one more."""

_TIMES = """
SELECT t.first_received_at, t.last_received_at, t.sealed_at, t.indexed_at, j.granted_at, j.running_at,
    j.import_over_at, j.over_at, t.outcome
FROM series_transfer t JOIN ahlijob j ON j.series_transfer_pk = t.pk WHERE t.state = 'OVER'
"""


def run(*, full: bool = False) -> dict[str, Any]:
    """Send them on a few associations, wait for the last, read histories and index."""
    count = SERIES_FULL if full else SERIES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_small_series(folder / "series", series=count, instances=INSTANCES)
        options = Options(
            name="bench", runs=folder / "runs", quiet_seconds=2.0, fast_imports=True, import_slots=50
        )
        with Runtime(options) as runtime:
            began = time.perf_counter()
            _send(folder / "series", str(runtime.state.dicom_host), int(runtime.state.dicom_port or 0))
            sent = time.perf_counter() - began
            rows = _over(runtime.state.database_url, count)
            seconds = time.perf_counter() - began
            export(runtime.clients, runtime.state.state_machine_arn, folder / "out")
        histories = [_events(path) for path in sorted((folder / "out" / "executions").glob("*.json"))]
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
        **_billing(histories),
    }
    _show(figures)
    return figures


def _send(folder: Path, host: str, port: int) -> None:
    files = read_folder(folder).instances
    shares = [files[number::ASSOCIATIONS] for number in range(ASSOCIATIONS)]
    with ThreadPoolExecutor(ASSOCIATIONS) as pool:
        for sent in pool.map(lambda share: send(share, host, port), shares):
            if sent.refused:
                raise RuntimeError(f"{len(sent.refused)} instances were refused: {sent.refused[0][1]}")


def _over(database_url: str, count: int) -> list[dict[str, Any]]:
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


def _events(path: Path) -> list[str]:
    return [event["type"] for event in json.loads(path.read_text(encoding="utf-8"))["events"]]


def _billing(histories: list[list[str]]) -> dict[str, Any]:
    """Transitions and history events, as seen and for imports that take long."""
    transitions = [1 + sum(kind.endswith(TRANSITION) for kind in kinds) for kinds in histories]
    events = [len(kinds) for kinds in histories]
    polls = [kinds.count("WaitStateEntered") - 1 for kinds in histories]
    return {
        "transitions": {"median": median(transitions), "most": max(transitions)},
        "history_events": {"median": median(events), "most": max(events)},
        "polls": round(median(polls)),
        "by_import_seconds": {str(seconds): _reckoned(seconds) for seconds in IMPORT_SECONDS},
    }


def _reckoned(import_seconds: int) -> dict[str, int]:
    """What an import that takes so long comes to, at most."""
    polls = most_polls(import_seconds)
    return {"polls": polls, **asdict(ordinary(polls))}


def _show(figures: dict[str, Any]) -> None:
    console = Console()
    title = f"{figures['series']} series of {INSTANCES}: {figures['seconds']} s, {figures['outcomes']}"
    table = Table("stage", "median seconds", title=title)
    for stage, seconds in figures["median_seconds_by_stage"].items():
        table.add_row(stage, f"{seconds:.2f}")
    console.print(table)
    console.print({name: figures[name] for name in ("transitions", "history_events", "by_import_seconds")})
