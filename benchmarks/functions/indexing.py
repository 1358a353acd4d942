"""IndexSeries for series of every size: time, statements, requests to S3, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.functions.series import BUCKET, STACK, BenchSeries
from benchmarks.processes import cpu_seconds
from benchmarks.s3_objects import serve
from dicom_ingest.db.server.connection import Database
from dicom_ingest.db.server.migrate import migrate
from local.postgres.databases import create_database
from local.postgres.server import Postgres

SIZES = (1, 100, 2000, 4500)
ROUNDS = 3


def run() -> dict[str, Any]:
    """Each size in a fresh process, as a Lambda environment is; the median of the rounds."""
    with Postgres() as server:
        url = create_database(server.admin_url, "indexing")
        database = Database(url)
        migrate(database)
        database.close()
        figures = [_median([_measure(url, server.pid or 0, size) for _ in range(ROUNDS)]) for size in SIZES]
    table = Table(
        *("instances", "handler s", "CPU s", "database CPU s", "SQL statements", "GET", "LIST"),
        "peak RSS MiB",
        title="index_series, first invocation of a fresh process, database connection included",
    )
    for row in figures:
        values = [row["instances"], row["seconds"], row["cpu_seconds"], row["database_cpu_seconds"]]
        table.add_row(*map(str, [*values, row["statements"], row["GET"], row["LIST"], row["peak_mebibytes"]]))
    Console().print(table)
    return {"rounds": ROUNDS, "series": figures}


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: round(median(row[name] for row in rows), 3) for name in rows[0]}


def _measure(database_url: str, server: int, instances: int) -> dict[str, Any]:
    series, before = BenchSeries(instances), cpu_seconds(server)
    with serve({series.manifest_key: series.encoded.body}, series.sizes()) as (endpoint, requests):
        environment = {
            "STACK": STACK,
            "BUCKET": BUCKET,
            "DATABASE_URL": database_url,
            "DATASTORE_ID": "bench",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        request = {
            "execution_arn": f"arn:aws:states:us-east-1:123456789012:execution:bench:{series.transfer_id}",
            "event": series.envelope(),
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.functions.index_once"],
            input=json.dumps(request),
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        "instances": instances,
        **found,
        "database_cpu_seconds": cpu_seconds(server) - before,
        "GET": requests.count("GET"),
        "LIST": requests.count("LIST"),
        "manifest_kilobytes": len(series.encoded.body) / 1000,
    }
