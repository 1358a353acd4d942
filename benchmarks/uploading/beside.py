"""Receiving beside compression: does an edge that compresses one sender's images slow down another sender?"""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.receiving.corpora import Template
from benchmarks.receiving.receivers import EDGE, edge_environment, free_port, running
from benchmarks.receiving.runs import Sender
from benchmarks.receiving.scu import Order

BACKLOG, MEASURED = 400, 400
ROUNDS = 3
BEHIND, MEASURED_AE = "BEHIND", "MEASURED"
LONGEST_SECONDS = 120.0
LOOK_SECONDS = 0.02


def receiving_beside(template: Template, endpoint: str, folder: Path) -> list[dict[str, Any]]:
    """What a sender gets while another one's images are uploaded, as received or compressed, in CT a second.

    Rounds alternate, so that both meet the same machine.
    """
    rates: dict[str, list[float]] = {"off": [], "htj2k": []}
    for number in range(ROUNDS):
        for compress, found in rates.items():
            found.append(_rate(compress, template, endpoint, folder / f"{compress}-{number}"))
    ratios = [beside / alone for beside, alone in zip(rates["htj2k"], rates["off"], strict=True)]
    return [
        {"way": "as received", "per_second": round(statistics.median(rates["off"])), "ratio": 1.0},
        {
            "way": "htj2k",
            "per_second": round(statistics.median(rates["htj2k"])),
            "ratio": round(statistics.median(ratios), 2),
        },
    ]


def _rate(compress: str, template: Template, endpoint: str, folder: Path) -> float:
    health = free_port()

    def environment(port: int, spool: Path) -> dict[str, str]:
        senders = [{"calling_ae": BEHIND, "compress": compress}]
        return edge_environment(
            port, spool, endpoint=endpoint, health_port=str(health), senders=json.dumps(senders)
        )

    with running(replace(EDGE, environment=environment), folder) as started:
        _send(started.port, template, [BACKLOG], BEHIND, 0)
        end = time.monotonic() + LONGEST_SECONDS
        while not _begun(health, compress):
            if time.monotonic() > end:
                raise RuntimeError(f"nothing was uploaded ({compress}) within {LONGEST_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
        seconds = _send(started.port, template, [MEASURED // 4] * 4, MEASURED_AE, BACKLOG)
    return MEASURED / seconds


def _begun(health: int, compress: str) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{health}/status") as answer:
        status: dict[str, Any] = json.load(answer)
    return bool(status["compressed_bytes_after" if compress != "off" else "instances_uploaded"])


def _send(port: int, template: Template, instances: list[int], calling: str, first: int) -> float:
    order = Order(
        *(port, str(template.path), template.sop_class_uid, template.transfer_syntax_uid),
        instances,
        first_number=first,
        calling=calling,
    )
    sender = Sender(order)
    begun = time.monotonic()
    sender.go()
    if (stored := sender.stored()) != sum(instances):
        raise RuntimeError(f"{stored} of {sum(instances)} instances of {calling} were answered 0x0000")
    return time.monotonic() - begun
