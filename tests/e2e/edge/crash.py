"""kill -9 at random moments under load: ``python -m tests.e2e.edge.crash --runs 200 --results FILE``.

What was acknowledged must be in S3 and in an announced manifest whose hash is true, and the manifests must be
an unbroken chain.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_ingest.contracts.messages.manifest import decode_manifest
from dicom_ingest.operators.custody.chain import Verification
from dicom_ingest.operators.custody.manifests import manifests_of
from tests.support.edge.aws import BUCKET, EdgeCloud, edge_cloud
from tests.support.edge.dicom import association, instance, uid
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until

SENDERS = 3
SERIES_LENGTH = 8


@dataclass
class Outcome:
    """One run; `lost` and `untrue` must be empty."""

    seed: int
    kills: int
    sent: int
    acknowledged: int
    announced: int
    series: int
    lost: list[str]
    untrue: list[str]
    seconds: float


class Sender(threading.Thread):
    """Sends series after series, again and again to whatever port the edge has now, until told to stop."""

    def __init__(self, edge: EdgeProcess) -> None:
        super().__init__(daemon=True)
        self._edge = edge
        self.stop = threading.Event()
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        while not self.stop.is_set():
            study, series = uid(), uid()
            datasets = [instance(study, series, pixels=4096) for _ in range(SERIES_LENGTH)]
            with suppress(RuntimeError, ValueError, OSError):  # the edge was killed under us
                self._send(datasets)

    def _send(self, datasets: list[Dataset]) -> None:
        with association(self._edge.dicom_port, datasets[:1], timeout=2) as assoc:
            for ds in datasets:
                if self.stop.is_set() or not assoc.is_established:
                    return
                self.sent.add(str(ds.SOPInstanceUID))
                status = assoc.send_c_store(ds)
                if "Status" in status and status.Status == 0:
                    self.acknowledged.add(str(ds.SOPInstanceUID))


def run_once(cloud: EdgeCloud, folder: Path, seed: int, kills: int = 2) -> Outcome:
    """One edge, killed a few times under load, then left to finish."""
    chance = random.Random(seed)
    began = time.monotonic()
    cloud.events()
    edge = EdgeProcess(folder, cloud.environment, name=f"edge{seed}")
    with edge:
        senders = [Sender(edge) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.05, 1.5))
            _kill(edge, worker_first=chance.random() < 0.3)
            edge.start()
        wait_until(lambda: all(sender.acknowledged for sender in senders), "every sender was heard")
        for sender in senders:
            sender.stop.set()
        for sender in senders:
            sender.join(60)
        wait_until(lambda: edge.status()["spool_instances"] == 0, "everything is announced", 120)
        edge.stop()  # nobody works in the folder when it goes
    sent = set().union(*(sender.sent for sender in senders))
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    announced, series, untrue = announced_instances(cloud, f"test-edge{seed}")
    untrue += sorted(f"{sop} was never sent" for sop in announced - sent)
    lost = sorted(acknowledged - announced)
    return Outcome(
        seed,
        kills,
        len(sent),
        len(acknowledged),
        len(announced),
        series,
        lost,
        untrue,
        round(time.monotonic() - began, 2),
    )


def announced_instances(cloud: EdgeCloud, edge: str) -> tuple[set[str], int, list[str]]:
    """What manifests of accepted events list, how many series, and everything in them that is not true."""
    found: set[str] = set()
    untrue: list[str] = []
    said: dict[int, str] = {}
    present = set(cloud.keys(f"{edge}/"))
    for event in cloud.announcements():
        detail = event["detail"]
        if said.setdefault(detail["sequence"], detail["manifest_sha256"]) != detail["manifest_sha256"]:
            untrue.append(f"sequence {detail['sequence']} was announced with two manifests")
        manifest = decode_manifest(cloud.body(detail["manifest_key"]), detail["manifest_sha256"])
        for line in manifest.instances:
            found.add(line.sop_instance_uid)
            if line.key not in present:
                untrue.append(f"{line.key} is not in S3")
        untrue += [f"{line.sop_instance_uid} is missing: {line.reason}" for line in manifest.missing]
    report = Verification(edge, datetime.now(timezone.utc)).verify(manifests_of(cloud.s3, BUCKET, edge), [])
    untrue += [finding.words for finding in report.findings]
    if report.chains != 1 or report.chained < len(said) or report.on_their_way:
        untrue.append(f"its manifests are no unbroken chain: {report}")
    return found, len(said), untrue


def _kill(edge: EdgeProcess, *, worker_first: bool) -> None:
    if worker_first:
        worker = edge.status()["worker_pid"]
        if worker is not None:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    edge.kill()


def main() -> int:
    """All runs; 1: something was lost or untrue."""
    parser = argparse.ArgumentParser(description="Kill the edge under load and count what is lost.")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="JSON lines, one a run")
    options = parser.parse_args()
    bad = 0
    with edge_cloud() as cloud:
        for seed in range(options.seed, options.seed + options.runs):
            with tempfile.TemporaryDirectory() as folder:
                outcome = run_once(cloud, Path(folder), seed)
            bad += bool(outcome.lost or outcome.untrue)
            line = json.dumps(asdict(outcome))
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            if options.results is not None:
                with options.results.open("a", encoding="utf-8") as results:
                    results.write(line + "\n")
    sys.stdout.write(f"{options.runs} runs, {bad} with losses\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
