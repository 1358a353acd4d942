"""One uploader in this process: `python -m benchmarks.uploading.uploads`, an order on standard input."""

from __future__ import annotations

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

from edge_component.journal.database import open_journal, transaction
from edge_component.journal.instances import insert_instances
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.sending.clients import make_clients
from edge_component.sending.uploader import Uploader
from edge_component.sending.verified import VerifiedFile
from edge_component.settings import load_settings
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import digest, pieces_of

STUDY, SERIES, TRANSFER = "2.25.1", "2.25.2", str(uuid4())
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
SENDER = AssociationRow("bench", "SENDER", "BENCH", "127.0.0.1", time.time())
FILES = "files"
"""A folder of the spool in which each instance is a file of its own."""


def an_instance(number: int, place: str, size: int) -> InstanceRow:
    """A row of the journal."""
    kind = (CT, EXPLICIT, "CT")
    return InstanceRow(
        *("bench", place, time.time(), STUDY, SERIES, f"2.25.3{number}", *kind, size, 0, "[]", "{}")
    )


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
    rows = [record.row for name in spool.segment_names() for record in spool.records(name)]
    _assign(journal, rows)
    clients = make_clients(settings)
    with spool.read(rows[0].file, rows[0].bytes) as stream:
        known = digest(pieces_of(stream))
        clients.put_file("dicom", "warm", VerifiedFile(stream, rows[0].bytes, known.sha256))
    pool = ThreadPoolExecutor(order.in_flight)
    uploader = Uploader(journal, spool, settings, clients.s3, pool, put_file=clients.put_file)

    def send_all() -> int:
        while uploader.run_once():
            pass
        left = journal.execute("SELECT count(*) FROM instance WHERE state <> 'uploaded'").fetchone()[0]
        if left:
            raise RuntimeError(f"{left} of {len(rows)} instances were not uploaded")
        return len(rows)

    return send_all


def _assign(journal: sqlite3.Connection, rows: list[InstanceRow]) -> None:
    with transaction(journal):
        now = time.time()
        epoch = journal.execute("INSERT INTO epoch (started_at) VALUES (?)", (now,)).lastrowid
        journal.execute(
            """INSERT INTO series_transfer
               (sequence, transfer_id, study_instance_uid, series_instance_uid, opened_at)
               VALUES (1, ?, ?, ?, ?)""",
            (TRANSFER, STUDY, SERIES, now),
        )
        insert_instances(journal, epoch or 0, [(SENDER, row) for row in rows])
        journal.execute("UPDATE instance SET state = 'assigned', sequence = 1")


def _boto3(order: Order, one: Callable[[Any, Path], object]) -> Callable[[], int]:
    """A pool of threads with one client, as its documentation has it."""
    s3 = boto3.client("s3", endpoint_url=order.endpoint)
    paths = sorted((order.spool / FILES).iterdir())
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
