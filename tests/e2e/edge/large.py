"""One instance of 4.2 GB, from socket to S3: ``python -m tests.e2e.edge.large``.

It must pass through constant memory, receiver and worker alike, and arrive as it was sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.edge.large import LARGEST, hashing_s3, send_large
from tests.support.edge.process import EdgeProcess, peak_memory
from tests.support.machine.waiting import wait_until

PIXEL_BYTES = 4_200_000_000
PEAK_KILOBYTES = 150 * 1024
CREDENTIALS = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


@dataclass(frozen=True)
class Outcome:
    """One run; `wrong` must be empty. Peaks are resident kilobytes."""

    bytes: int
    receive_seconds: float
    upload_seconds: float
    receiver_peak: int
    worker_peak: int
    wrong: list[str]


def run_once(folder: Path, pixel_bytes: int) -> Outcome:
    """One edge, one instance, until it is announced."""
    with (
        hashing_s3() as s3,
        EdgeProcess(
            folder,
            {**CREDENTIALS, "AWS_ENDPOINT_URL": s3.endpoint},
            max_series_bytes=10_000_000_000,
        ) as edge,
    ):
        began = time.monotonic()
        sent = send_large(edge.dicom_port, pixel_bytes)
        received = time.monotonic()
        wait_until(lambda: edge.status()["series_announced"], "the series is announced", 1800)
        announced = time.monotonic()
        assert edge.process is not None
        peaks = peak_memory(edge.process.pid), peak_memory(edge.status()["worker_pid"])
        [detail] = [event for event in s3.events if "manifest_key" in event]
    wrong = [f"status 0x{sent.status:04X}"] if sent.status else []
    key = f"/dicom/{detail['prefix']}{sent.sop_instance_uid}.dcm"
    if s3.sha256.get(key) != sent.file_sha256:
        wrong.append("what S3 has is not what was sent")
    if detail["total_bytes"] != sent.bytes:
        wrong.append(f"{detail['total_bytes']} bytes were announced")
    wrong += [f"{peak} kB of memory" for peak in peaks if peak > PEAK_KILOBYTES]
    return Outcome(sent.bytes, round(received - began, 1), round(announced - received, 1), *peaks, wrong)


def main() -> int:
    """1: something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.edge.large", description=__doc__)
    parser.add_argument("--bytes", type=int, default=PIXEL_BYTES, help=f"of pixel data, at most {LARGEST}")
    parser.add_argument("--folder", type=Path, help="where there is room for it; default: the system's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        outcome = run_once(Path(folder), options.bytes)
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
