"""One run: a receiver, senders, and what it took."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from benchmarks.processes import cpu_seconds, usage_of
from benchmarks.receiving.corpora import Template
from benchmarks.receiving.receivers import Receiver, running
from benchmarks.receiving.scu import Order
from benchmarks.receiving.wire import associate, receive
from edge_component.spool.segments import BATCH, FULL_BYTES

MEBIBYTE = 2**20
ASSOCIATIONS_TIMED = 9
SENT_LATELY = 2000
"""Instances that went on in the last minutes, seven a second. An edge keeps many in a file of 16 MiB."""
SETTLED_SECONDS, SETTLED_SHARE = 1.0, 0.02
"""What works behind the receiver has ended when it uses less than this share of a core."""
LONGEST_SETTLING = 60.0
LARGEST_FAMILY = 2
"""Sender processes: more than the machine has cores would only measure its scheduler."""


@dataclass(frozen=True)
class Run:
    """What one run took; `cpu_ms` an instance, memory in MiB, of all processes that receive.

    `accept_ms`: from an A-ASSOCIATE-RQ to its answer. `apart_`: of what works behind the receiver.
    """

    instances_per_second: float
    cpu_ms: float
    pss: float
    rss: float
    accept_ms: float
    apart_cpu_ms: float
    apart_pss: float


def run_once(
    receiver: Receiver,
    template: Template,
    associations: int,
    instances: int,
    folder: Path,
    *,
    keep: bool = False,
) -> Run:
    """Start the receiver, send, stop it.

    `keep`: leave the files that it has made, without their bytes; otherwise the folder is one in use, where
    files come and go.

    Raises:
        RuntimeError: an instance was not answered 0x0000.
    """
    scratch = Path(mkdtemp(dir=folder))
    try:
        if not keep:
            _use(scratch, max(BATCH, SENT_LATELY * template.bytes // FULL_BYTES))
        with running(receiver, scratch) as started:
            send(receiver, started.port, template, 1, 1, first=9_000_000)
            accept = 0.0 if receiver.raw else accept_seconds(started.port, template)
            with usage_of(started.root, receiver.apart) as usage:
                seconds = send(receiver, started.port, template, associations, instances, first=0)
                if receiver.apart:
                    settle(started.root)
        return Run(
            instances / seconds,
            1000 * usage.cpu_seconds / instances,
            usage.pss / MEBIBYTE,
            usage.rss / MEBIBYTE,
            1000 * accept,
            1000 * usage.apart_cpu_seconds / instances,
            usage.apart_pss / MEBIBYTE,
        )
    finally:
        if keep:
            _empty(scratch)
        else:
            shutil.rmtree(scratch)
        os.sync()  # what this run left to be written is not the next one's burden


def settle(root: int) -> None:
    """Wait until what was received is hashed and assembled: its processor time counts, too."""
    end, before = time.monotonic() + LONGEST_SETTLING, cpu_seconds(root)
    while time.monotonic() < end:
        time.sleep(SETTLED_SECONDS)
        now = cpu_seconds(root)
        if now - before < SETTLED_SHARE * SETTLED_SECONDS:
            return
        before = now


def _use(folder: Path, files: int) -> None:
    """As many came and went as at an edge in some minutes."""
    gone = [folder / str(number) for number in range(files)]
    for path in gone:
        path.touch()
    for path in gone:
        path.unlink()


def _empty(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def accept_seconds(port: int, template: Template) -> float:
    """From an A-ASSOCIATE-RQ on a new connection to the A-ASSOCIATE-AC; the median of some."""
    request = associate(template.sop_class_uid, template.transfer_syntax_uid)
    taken = []
    for _ in range(ASSOCIATIONS_TIMED):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            began = time.perf_counter()
            connection.sendall(request)
            receive(connection)
            taken.append(time.perf_counter() - began)
    return median(taken)


def send(
    receiver: Receiver, port: int, template: Template, associations: int, instances: int, first: int
) -> float:
    """Seconds from the first connection to the last answer."""
    families = min(associations, LARGEST_FAMILY)
    shares = [instances // associations + (n < instances % associations) for n in range(associations)]
    orders = [
        Order(
            port,
            str(template.path),
            template.sop_class_uid,
            template.transfer_syntax_uid,
            shares[family::families],
            first + family * 1_000_000,
            receiver.raw,
        )
        for family in range(families)
    ]
    senders = [Sender(order) for order in orders]
    began = time.perf_counter()
    for sender in senders:
        sender.go()
    stored = sum(sender.stored() for sender in senders)
    seconds = time.perf_counter() - began
    if stored != instances:
        raise RuntimeError(f"{receiver.name} answered 0x0000 {stored} times, {instances} were expected")
    return seconds


class Sender:
    """A sender's process, ready to go."""

    def __init__(self, order: Order) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.receiving.scu"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(order.text())
        if self._hear() != "ready\n":
            raise RuntimeError("the sender did not start")

    def go(self) -> None:
        """Send."""
        self._say("go")

    def stored(self) -> int:
        """How many instances were answered 0x0000, once all are answered."""
        answers = json.loads(self._hear() or "{}")
        self._process.communicate()
        return int(answers.get("0", 0))

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe by construction
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - a pipe by construction
        return self._process.stdout.readline()


def as_figures(run: Run) -> dict[str, float]:
    """Rounded, for the record."""
    return {name: round(value, 2) for name, value in asdict(run).items()}
