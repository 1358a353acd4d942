"""The edge's uploads against boto3's, and what receiving loses to them: interleaved runs, medians, ratios."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.receiving.compare import SCRATCH
from benchmarks.uploading import while_receiving
from benchmarks.uploading.uploads import CT, EXPLICIT, FILES, SENDER, WAYS, an_instance
from edge_component.records.receipt import encode_receipt
from edge_component.spool.folder import Spool
from edge_component.spool.quarantine import INSTANCE

OBJECTS = {"ct": (526_000, 400), "sr": (17_000, 1500)}
"""Bytes of an object, and how many."""
IN_FLIGHT = (8, 32)
PEER = "boto3 upload_file"
ROUNDS = 3


def run() -> dict[str, Any]:
    """Every size with every way; then the edge as a whole."""
    with TemporaryDirectory(dir=SCRATCH) as folder, sink() as endpoint:
        spools = {name: _spool(Path(folder) / name, *size) for name, size in OBJECTS.items()}
        cells = [
            _cell(name, spool, endpoint, in_flight)
            for name, spool in spools.items()
            for in_flight in IN_FLIGHT
        ]
        receiving = while_receiving.run(endpoint)
    table = Table(
        *("objects", "in flight", "way", f"rate, ratio to {PEER}", "objects per core, ratio", "CPU ms each"),
        title="uploads to a server that only drains, checksums on",
    )
    for cell in cells:
        for way, row in cell["ways"].items():
            ratio, core = cell["ratios"][way]["rate"], cell["ratios"][way]["per_core"]
            values = (cell["objects"], cell["in_flight"], way, ratio, core, row["cpu_ms"])
            table.add_row(*map(str, values))
    Console().print(table)
    return {"rounds": ROUNDS, "cells": cells, "while_receiving": receiving}


@contextmanager
def sink() -> Iterator[str]:
    """Its URL; a process of its own."""
    command = [sys.executable, "-m", "benchmarks.uploading.sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe by construction
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _spool(root: Path, size: int, count: int) -> Spool:
    """Instances as the edge keeps them; and each as a file of its own, for the others."""
    spool = Spool(root)
    spool.prepare()
    (root / FILES).mkdir()
    content = os.urandom(size)
    for number in range(1, count + 1):
        file = spool.receive(CT, f"2.25.3{number}", EXPLICIT)
        file.write(content)
        row = an_instance(number, file.place, file.bytes)._replace(file_crc32=file.file_crc32)
        file.keep(encode_receipt(SENDER, row))
        file.let_go()
        with spool.read(row.file, row.bytes) as stream:
            (root / FILES / f"{number}{INSTANCE}").write_bytes(stream.read())
    spool.close()
    return spool


def _cell(name: str, spool: Spool, endpoint: str, in_flight: int) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, found in runs.items():
            found.append(_measure(way, spool, endpoint, in_flight))
    ways = {
        way: {key: round(median(r[key] for r in found), 2) for key in found[0]} for way, found in runs.items()
    }
    ratios = {
        way: {
            "rate": round(row["objects_per_second"] / ways[PEER]["objects_per_second"], 2),
            "per_core": round(ways[PEER]["cpu_ms"] / row["cpu_ms"], 2),
        }
        for way, row in ways.items()
    }
    return {"objects": name, "in_flight": in_flight, "ways": ways, "ratios": ratios}


def _measure(way: str, spool: Spool, endpoint: str, in_flight: int) -> dict[str, float]:
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    order = {"way": way, "spool": str(spool.root), "endpoint": endpoint, "in_flight": in_flight}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.uploading.uploads"],
        input=json.dumps(order) + "\n",
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        "objects_per_second": found["objects"] / found["seconds"],
        "cpu_ms": 1000 * found["cpu_seconds"] / found["objects"],
    }
