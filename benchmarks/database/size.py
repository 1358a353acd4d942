"""Every statement of the index on a database of years: how long it takes, and by which plan.

``python -m benchmarks size`` makes 100,000 studies with a million series and ten million instances (about
20 GB of disk below the temporary folder); ``python -m benchmarks.database.size --studies 10000`` less.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.database import statements
from benchmarks.database.fill import CHUNK, Size, fill
from benchmarks.database.plans import Explaining
from dicom_ingest.db.server.connection import Connection, Database, connect
from dicom_ingest.db.server.migrate import migrate
from local.postgres.databases import create_database
from local.postgres.server import Postgres

ROUNDS = 5
LIMIT_MS, LEDGER_LIMIT_MS = 50.0, 500.0
"""What a statement may take; and the ledger of a day."""


def run(*, full: bool = False, studies: int = 100_000, instances: int = 10) -> dict[str, Any]:
    """Make the database, then ask; `full`: a hundred million instances."""
    size = Size(studies=studies, instances_of_series=100 if full else instances)
    with Postgres() as server:
        database = Database(create_database(server.admin_url, "size"))
        migrate(database)
        began = time.perf_counter()
        connection = connect(database.url, timeout=None)
        connection.run("SET statement_timeout = 0")
        fill(connection, size)
        connection.run("VACUUM ANALYZE")
        filled = time.perf_counter() - began
        figures = _measure(connection)
        connection.close()
    _show(figures, size)
    return {
        "studies": size.studies,
        "series": size.series,
        "instances": size.series * size.instances_of_series,
        "waiting": size.waiting,
        "seconds_to_fill": round(filled),
        "statements": figures,
    }


def _measure(connection: Connection) -> list[dict[str, Any]]:
    examples = statements.known(connection)
    explaining = Explaining(connection)
    figures = [
        _of(name, action, connection, explaining)
        for name, action in (statements.reads(examples) | statements.upkeep(examples)).items()
    ]
    connection.run("START TRANSACTION")
    path, explained = statements.Path(examples), statements.Path(examples)
    figures += [_once(name, action, connection) for name, action in path.steps().items()]
    connection.run("ROLLBACK")
    connection.run("START TRANSACTION")
    for row, action in zip(figures[-len(path.steps()) :], explained.steps().values(), strict=True):
        explaining.faults.clear()
        action(explaining)
        row["faults"] = list(explaining.faults)
    connection.run("ROLLBACK")
    return figures


def _of(
    name: str, action: statements.Action, connection: Connection, explaining: Explaining
) -> dict[str, Any]:
    explaining.faults.clear()
    action(explaining)
    times = [_timed(action, connection) for _ in range(ROUNDS)]
    return _figure(name, times) | {"faults": list(explaining.faults)}


def _once(name: str, action: statements.Action, connection: Connection) -> dict[str, Any]:
    """Of what changes something: the first time is what counts."""
    return _figure(name, [_timed(action, connection)])


def _figure(name: str, times: list[tuple[float, float]]) -> dict[str, Any]:
    """The median; on a machine that has other work, the server's share says more than the clock."""
    clock, server = (round(median(values), 2) for values in zip(*times, strict=True))
    return {"name": name, "ms": clock, "server_ms": server, "faults": []}


def _timed(action: statements.Action, connection: Connection) -> tuple[float, float]:
    """Milliseconds until the answer was here, and of the server's processor."""
    began, processor = time.perf_counter(), _processor_ms(connection)
    action(connection)
    return 1000 * (time.perf_counter() - began), _processor_ms(connection) - processor


def _processor_ms(connection: Connection) -> float:
    """What the session's process has used so far (Linux)."""
    (row,) = connection.run("SELECT pg_backend_pid() AS pid")
    spent = Path(f"/proc/{row['pid']}/schedstat").read_text(encoding="ascii")
    return int(spent.split()[0]) / 1e6


def slow(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What costs the server more than it may."""
    limits = {row["name"]: LEDGER_LIMIT_MS if "ledger" in row["name"] else LIMIT_MS for row in figures}
    return [row for row in figures if row["server_ms"] > limits[row["name"]]]


def _show(figures: list[dict[str, Any]], size: Size) -> None:
    table = Table(
        "asked", "ms", "server ms", "plan", title=f"{size.series:,} series, {size.waiting:,} waiting"
    )
    late = slow(figures)
    for row in figures:
        table.add_row(
            row["name"],
            str(row["ms"]),
            f"{row['server_ms']}{' !' if row in late else ''}",
            "; ".join(row["faults"]) or "index",
        )
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=CHUNK // 20)
    parser.add_argument("--instances", type=int, default=10, help="of a series")
    options = parser.parse_args()
    found = run(studies=options.studies, instances=options.instances)["statements"]
    sys.exit(bool(slow(found)) or any(row["faults"] for row in found))
