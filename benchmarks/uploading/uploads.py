"""One uploader in this process: `python -m benchmarks.uploading.uploads`, an order on standard input."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

from edge_component.aws import make_clients
from edge_component.journal.database import open_journal, transaction
from edge_component.journal.intake import insert_instances
from edge_component.journal.rows import AssociationRow, InstanceRow
from edge_component.settings import load_settings
from edge_component.spool import Spool
from edge_component.uploader import Uploader
from edge_component.verified import VerifiedFile

STUDY, SERIES, TRANSFER = "2.25.1", "2.25.2", str(uuid4())


@dataclass(frozen=True)
class Order:
    """Send all instances of a spool."""

    way: str
    spool: Path
    endpoint: str
    in_flight: int


def main() -> int:
    """Send every object once, after one to warm up."""
    given = json.loads(sys.stdin.readline())
    order = Order(**{**given, "spool": Path(given["spool"])})
    send_all = WAYS[order.way](order)
    wall, cpu = time.perf_counter(), time.process_time()
    objects = send_all()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(json.dumps({"objects": objects, "seconds": wall, "cpu_seconds": cpu}) + "\n")
    return 0


def _edge(order: Order) -> Callable[[], int]:
    """The edge's uploader as the worker runs it: from rows of the journal to rows of the journal."""
    spool = Spool(order.spool)
    given = {"stack": "bench", "name": "edge1", "bucket": "dicom", "event_bus": "ingest"}
    environment = {f"EDGE_{name.upper()}": value for name, value in given.items()}
    settings = load_settings(
        {**environment, "EDGE_SPOOL": str(spool.root), "EDGE_UPLOADS_IN_FLIGHT": str(order.in_flight)}
    )
    for path in spool.root.glob("journal.sqlite3*"):
        path.unlink()
    journal = open_journal(spool.journal)
    names = sorted(spool.instance_files())
    content = spool.path(names[0]).read_bytes()  # all have the same
    size, sha256 = len(content), hashlib.sha256(content).hexdigest()
    _assign(journal, names, size, sha256)
    clients = make_clients(settings)
    with spool.path(names[0]).open("rb") as stream:
        clients.put_file("dicom", "warm", VerifiedFile(stream, size, sha256))
    pool = ThreadPoolExecutor(order.in_flight)
    uploader = Uploader(journal, spool, settings, clients.s3, pool, put_file=clients.put_file)

    def send_all() -> int:
        while uploader.run_once():
            pass
        left = journal.execute("SELECT count(*) FROM instance WHERE state <> 'uploaded'").fetchone()[0]
        if left:
            raise RuntimeError(f"{left} of {len(names)} instances were not uploaded")
        return len(names)

    return send_all


def _assign(journal: sqlite3.Connection, names: list[str], size: int, sha256: str) -> None:
    now = time.time()
    association = AssociationRow("bench", "SENDER", "BENCH", "127.0.0.1", now)
    with transaction(journal):
        epoch = journal.execute("INSERT INTO epoch (started_at) VALUES (?)", (now,)).lastrowid
        journal.execute(
            """INSERT INTO series_transfer
               (sequence, transfer_id, study_instance_uid, series_instance_uid, opened_at)
               VALUES (1, ?, ?, ?, ?)""",
            (TRANSFER, STUDY, SERIES, now),
        )
        kind = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "CT")
        rows = [
            InstanceRow("bench", name, now, STUDY, SERIES, f"2.25.3{number}", *kind, size, 0, "[]", "{}")
            for number, name in enumerate(names)
        ]
        insert_instances(journal, epoch or 0, [(association, row) for row in rows])
        journal.execute(
            "UPDATE instance SET state = 'assigned', sequence = 1, file_sha256 = ?1, dataset_sha256 = ?1",
            (sha256,),
        )


def _boto3(order: Order, one: Callable[[Any, Path], object]) -> Callable[[], int]:
    """A pool of threads with one client, as its documentation has it."""
    spool = Spool(order.spool)
    s3 = boto3.client("s3", endpoint_url=order.endpoint)
    paths = [spool.path(name) for name in sorted(spool.instance_files())]
    one(s3, paths[0])

    def send_all() -> int:
        with ThreadPoolExecutor(order.in_flight) as pool:
            return len(list(pool.map(lambda path: one(s3, path), paths)))

    return send_all


def _upload_file(s3: Any, path: Path) -> object:
    """boto3's transfer manager, with its default checksum."""
    return s3.upload_file(str(path), "dicom", f"bench/{path.name}")


def _put_object(s3: Any, path: Path) -> object:
    """boto3's plain PUT of bytes, with its default checksum."""
    return s3.put_object(Bucket="dicom", Key=f"bench/{path.name}", Body=path.read_bytes())


WAYS: dict[str, Callable[[Order], Callable[[], int]]] = {
    "edge": _edge,
    "boto3 upload_file": lambda order: _boto3(order, _upload_file),
    "boto3 put_object": lambda order: _boto3(order, _put_object),
}

if __name__ == "__main__":
    sys.exit(main())
