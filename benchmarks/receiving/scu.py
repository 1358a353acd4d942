"""A sender that costs next to nothing: PDUs made beforehand, TCP_NODELAY, a thread an association.

A process of its own (`python -m benchmarks.receiving.scu`): an order as JSON on standard input; it answers
`ready`, waits for a line, sends, and answers with what the receivers said.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.receiving import wire
from benchmarks.receiving.corpora import COUNT, MARK, counted, numbered

STORED = 0x0000


@dataclass(frozen=True)
class Order:
    """What to send, and where. `raw`: not DIMSE but length and bytes (benchmarks.receiving.limit)."""

    port: int
    dataset: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instances: list[int]
    """How many on each association."""
    first_number: int
    raw: bool = False

    def text(self) -> str:
        """As the sender's process reads it."""
        return json.dumps(asdict(self))


def main() -> int:
    """One order."""
    order = Order(**json.loads(sys.stdin.readline()))
    dataset = Path(order.dataset).read_bytes()
    firsts = [order.first_number + sum(order.instances[:n]) for n in range(len(order.instances))]
    with ThreadPoolExecutor(len(order.instances)) as pool:
        _say("ready")
        sys.stdin.readline()
        send = _send_raw if order.raw else _send
        results = list(pool.map(lambda n, first: send(order, dataset, n, first), order.instances, firsts))
    _say(json.dumps(sum(results, Counter())))
    return 0


def _send(order: Order, dataset: bytes, instances: int, first: int) -> Counter[int]:
    answers: Counter[int] = Counter()
    with _connection(order.port) as connection:
        connection.sendall(wire.associate(order.sop_class_uid, order.transfer_syntax_uid))
        kind, body = wire.receive(connection)
        if kind != wire.ASSOCIATE_AC:
            raise ConnectionError(f"the association was answered with a PDU of type {kind}")
        stream = bytearray(wire.store(order.sop_class_uid, MARK, dataset, wire.accepted_length(body)))
        named, numbers = (places(stream, mark) for mark in (MARK, COUNT))
        for number in range(first, first + instances):
            for place in named:
                stream[place : place + len(MARK)] = numbered(number)
            for place in numbers:
                stream[place : place + len(COUNT)] = counted(number)
            connection.sendall(stream)
            answers[wire.status(wire.receive(connection)[1])] += 1
        connection.sendall(wire.pdu(wire.RELEASE_RQ, bytes(4)))
        wire.receive(connection)
    return answers


def places(stream: bytearray, mark: str) -> list[int]:
    """Where it stands in what is sent."""
    return [found.start() for found in re.finditer(mark.encode(), stream)]


def _send_raw(order: Order, dataset: bytes, instances: int, first: int) -> Counter[int]:
    del first
    answers: Counter[int] = Counter()
    stream = struct.pack(">Q", len(dataset)) + dataset
    with _connection(order.port) as connection:
        for _ in range(instances):
            connection.sendall(stream)
            answers[wire.exactly(connection, 1)[0]] += 1
    return answers


def _connection(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
