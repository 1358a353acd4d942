"""One uploader in this process: `python -m benchmarks.uploading.uploads`, an order on standard input."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

from dicom_ingest.contracts.keys import SeriesPrefix
from edge_component.aws import make_clients
from edge_component.settings import load_settings
from edge_component.spool import Spool
from edge_component.upload import Upload, send


def main() -> int:
    """Send every object once, after one to warm up."""
    order = json.loads(sys.stdin.readline())
    spool = Spool(Path(order["spool"]))
    names = sorted(spool.instance_files())
    digest = hashlib.sha256(spool.path(names[0]).read_bytes()).hexdigest()
    one = WAYS[order["way"]](spool, digest, order["endpoint"], order["in_flight"])
    one(names[0])
    with ThreadPoolExecutor(order["in_flight"]) as pool:
        wall, cpu = time.perf_counter(), time.process_time()
        list(pool.map(one, names))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(json.dumps({"objects": len(names), "seconds": wall, "cpu_seconds": cpu}) + "\n")
    return 0


def _edge(spool: Spool, digest: str, _endpoint: str, in_flight: int) -> Callable[[str], None]:
    """What the edge's pool does with an instance: verify the file, PUT it, compare the checksum."""
    given = {"stack": "bench", "name": "edge1", "bucket": "dicom", "event_bus": "ingest"}
    environment = {f"EDGE_{name.upper()}": value for name, value in given.items()}
    settings = load_settings(
        {**environment, "EDGE_SPOOL": str(spool.root), "EDGE_UPLOADS_IN_FLIGHT": str(in_flight)}
    )
    clients = make_clients(settings)
    prefix = SeriesPrefix(settings.edge, str(uuid4()), "2.25.1", "2.25.2")
    size = spool.path(next(spool.instance_files())).stat().st_size

    def one(name: str) -> None:
        sop = f"2.25.{int(name.removesuffix('.dcm'))}"
        upload = Upload(1, name, size, digest, None, None, prefix, sop)
        send(upload, spool, settings, clients.s3, clients.put_file, lambda _: None)

    return one


def _upload_file(spool: Spool, _digest: str, endpoint: str, _in_flight: int) -> Callable[[str], None]:
    """boto3's transfer manager, with its default checksum."""
    s3: Any = boto3.client("s3", endpoint_url=endpoint)
    return lambda name: s3.upload_file(str(spool.path(name)), "dicom", f"bench/{name}")


def _put_object(spool: Spool, _digest: str, endpoint: str, _in_flight: int) -> Callable[[str], None]:
    """boto3's plain PUT of bytes, with its default checksum."""
    s3: Any = boto3.client("s3", endpoint_url=endpoint)
    return lambda name: s3.put_object(Bucket="dicom", Key=f"bench/{name}", Body=spool.path(name).read_bytes())


WAYS = {"edge": _edge, "boto3 upload_file": _upload_file, "boto3 put_object": _put_object}

if __name__ == "__main__":
    sys.exit(main())
