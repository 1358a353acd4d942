"""A migration over a line of 50 Mbit/s, with and without compression; a STAT study in the middle of it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom import Dataset
from pydicom.uid import generate_uid
from rich.console import Console
from rich.table import Table

from benchmarks.receiving.compare import SCRATCH
from benchmarks.receiving.corpora import CORPORA, Corpus, Template, write_template
from benchmarks.receiving.receivers import EDGE, edge_environment, free_port, running
from benchmarks.receiving.runs import Sender
from benchmarks.receiving.scu import Order
from benchmarks.receiving.wire import CALLING
from benchmarks.uploading.beside import receiving_beside
from benchmarks.uploading.compare import sink
from dicom_ingest.contracts.configuration.uplink import UplinkRule
from edge_component.line.line import Line
from edge_component.line.timetable import Timetable
from edge_component.sending.verified import PIECE_BYTES

MBIT = 50
DAY_BYTES = 10_000_000_000
PART_OF_A_DAY = {False: 100, True: 10}
"""One hundredth, or with `--full` one tenth, is sent."""
STAT, STAT_INSTANCES, QUIET_SECONDS = "STAT", 10, 1.0
FIRST_BYTES = 1_000_000
NEARLY = 0.95
"""The rate is measured in between: else some connections have nothing to send."""
ALONE_SECONDS = 5.0
LOOK_SECONDS = 0.05
LONGEST_SECONDS = 1200.0


def run(*, full: bool = False) -> dict[str, Any]:
    """As received, then compressed."""
    with TemporaryDirectory(dir=SCRATCH) as name, sink() as endpoint:
        folder = Path(name)
        migration = write_template(CORPORA["ct"], folder)
        stat = write_template(Corpus("stat", STAT_INSTANCES, _another_study), folder)
        count = DAY_BYTES // PART_OF_A_DAY[full] // migration.bytes
        ways = [
            _Run(compress, migration, stat, count, endpoint, folder / compress).measure()
            for compress in ("off", "htj2k")
        ]
        beside = receiving_beside(migration, endpoint, folder)
    table = Table(*ways[0], title=f"a migration of CT over {MBIT} Mbit/s, and a STAT study in it")
    for row in ways:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    alone = [{"connections": number, "mbit": _alone(number)} for number in (1, 8, 16)]
    part = PART_OF_A_DAY[full]
    return {"mbit": MBIT, "part_of_a_day": part, "ways": ways, "alone": alone, "beside": beside}


def _alone(number: int) -> float:
    """The rate of connections that do nothing but take bytes from the line, in Mbit/s."""
    line = Line(Timetable([UplinkRule(mbit=MBIT)]))
    line.take(0, bulk=True)
    begun = time.monotonic()

    def take() -> None:
        while time.monotonic() < begun + ALONE_SECONDS:
            line.take(line.most(PIECE_BYTES), bulk=True)

    with ThreadPoolExecutor(number) as pool:
        for _ in range(number):
            pool.submit(take)
    sent: int = line.facts()["sent_bytes"]
    return round(sent * 8 / 1e6 / (time.monotonic() - begun), 2)


def _another_study() -> Dataset:
    ds = CORPORA["ct"].make()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    return ds


class _Run:
    """One edge with a limited uplink."""

    def __init__(
        self, compress: str, migration: Template, stat: Template, count: int, endpoint: str, folder: Path
    ) -> None:
        self._compress = compress
        self._migration, self._stat, self._count = migration, stat, count
        self._endpoint = endpoint
        self._folder = folder
        self._health = free_port()

    def measure(self) -> dict[str, Any]:
        """Send the migration, the study when a fifth of it is in S3, and wait for all."""
        edge = replace(EDGE, environment=self._environment)
        with running(edge, self._folder) as started:
            _send(started.port, self._migration, self._count, CALLING)
            before = self._until(lambda status: status["uplink"]["sent_bytes"] > FIRST_BYTES)
            begun = time.monotonic()
            self._until(lambda status: status["instances_uploaded"] >= self._count / 5)
            _send(started.port, self._stat, STAT_INSTANCES, STAT)
            acknowledged = time.monotonic()
            first = self._until(lambda status: status["instances_announced"] > 0)
            announced = time.monotonic()
            if first["instances_announced"] != STAT_INSTANCES:
                raise RuntimeError("the migration was announced before the STAT study: send more of it")
            total = self._count + STAT_INSTANCES
            nearly = self._until(lambda status: status["instances_uploaded"] >= NEARLY * total)
            seconds = time.monotonic() - begun
            status = self._until(lambda status: status["instances_uploaded"] == total)
        sent = nearly["uplink"]["sent_bytes"] - before["uplink"]["sent_bytes"]
        return self._row(status, sent * 8 / 1e6 / seconds, announced - acknowledged)

    def _row(self, status: dict[str, Any], mbit: float, stat_seconds: float) -> dict[str, Any]:
        received = status["bytes_received"]
        line = received - (status["compressed_bytes_before"] - status["compressed_bytes_after"])
        seconds = line * 8 / 1e6 / mbit
        stat = STAT_INSTANCES * self._stat.bytes * line / received
        return {
            "way": "as received" if self._compress == "off" else self._compress,
            "received_bytes": received,
            "line_bytes": line,
            "upload_seconds": round(seconds, 1),
            "mbit": round(mbit, 1),
            "day_hours": round(seconds * DAY_BYTES / received / 3600, 2),
            "stat_seconds": round(stat_seconds, 1),
            "stat_line_seconds": round(stat * 8 / 1e6 / MBIT, 1),
            "stat_quiet_seconds": QUIET_SECONDS,
        }

    def _environment(self, port: int, folder: Path) -> dict[str, str]:
        senders = [
            {"calling_ae": CALLING, "priority": "bulk", "compress": self._compress},
            {"calling_ae": STAT, "compress": self._compress},
        ]
        return edge_environment(
            port,
            folder,
            endpoint=self._endpoint,
            health_port=str(self._health),
            senders=json.dumps(senders),
            uplink=json.dumps([{"mbit": MBIT}]),
            series_quiet_seconds=str(QUIET_SECONDS),
            compress_processes="2",
        )

    def _until(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/status") as answer:
                status: dict[str, Any] = json.load(answer)
            if reached(status):
                return status
            time.sleep(LOOK_SECONDS)
        raise RuntimeError(f"not within {LONGEST_SECONDS:.0f} s: {status}")


def _send(port: int, template: Template, count: int, calling: str) -> None:
    order = Order(
        *(port, str(template.path), template.sop_class_uid, template.transfer_syntax_uid),
        [count],
        first_number=0 if calling == CALLING else 5_000_000,
        calling=calling,
    )
    sender = Sender(order)
    sender.go()
    if (stored := sender.stored()) != count:
        raise RuntimeError(f"{stored} of {count} instances of {calling} were answered 0x0000")
