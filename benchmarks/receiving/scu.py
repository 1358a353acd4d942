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
    calling: str = wire.CALLING

    def text(self) -> str:
        """As the sender's process reads it."""
        return json.dumps(asdict(self))


def main() -> int:
    """One order."""
    order = Order(**json.loads(sys.stdin.readline()))
    dataset = Path(order.dataset).read_bytes()
    firsts = [order.first_number + sum(order.instances[:n]) for n in range(len(order.instances))]
    made = Raw if order.raw else Association
    associations = [made(order, dataset) for _ in order.instances]
    with ThreadPoolExecutor(len(order.instances)) as pool:
        _say("ready")
        sys.stdin.readline()
        answers = list(
            pool.map(lambda one, n, first: one.send(n, first), associations, order.instances, firsts)
        )
    _say(json.dumps(sum(answers, Counter())))
    return 0


class Association:
    """Open, with its PDUs made: what is left to do is to write numbers into them, and to send."""

    def __init__(self, order: Order, dataset: bytes) -> None:
        self._connection = _connection(order.port)
        request = wire.associate(order.sop_class_uid, order.transfer_syntax_uid, calling=order.calling)
        self._connection.sendall(request)
        kind, body = wire.receive(self._connection)
        if kind != wire.ASSOCIATE_AC:
            raise ConnectionError(f"the association was answered with a PDU of type {kind}")
        longest = wire.accepted_length(body)
        self._stream = bytearray(wire.store(order.sop_class_uid, MARK, dataset, longest))
        self._named, self._numbers = (places(self._stream, mark) for mark in (MARK, COUNT))

    def send(self, instances: int, first: int) -> Counter[int]:
        """How often each status was the answer."""
        answers: Counter[int] = Counter()
        with self._connection as connection:
            for number in range(first, first + instances):
                for place in self._named:
                    self._stream[place : place + len(MARK)] = numbered(number)
                for place in self._numbers:
                    self._stream[place : place + len(COUNT)] = counted(number)
                connection.sendall(self._stream)
                answers[wire.status(wire.receive(connection)[1])] += 1
            connection.sendall(wire.pdu(wire.RELEASE_RQ, bytes(4)))
            wire.receive(connection)
        return answers


class Raw:
    """A connection to the benchmark's own protocol."""

    def __init__(self, order: Order, dataset: bytes) -> None:
        self._connection = _connection(order.port)
        self._stream = struct.pack(">Q", len(dataset)) + dataset

    def send(self, instances: int, first: int) -> Counter[int]:
        """How often each status was the answer; `first` is no matter here."""
        del first
        answers: Counter[int] = Counter()
        with self._connection as connection:
            for _ in range(instances):
                connection.sendall(self._stream)
                answers[wire.exactly(connection, 1)[0]] += 1
        return answers


def places(stream: bytearray, mark: str) -> list[int]:
    """Where it stands in what is sent."""
    return [found.start() for found in re.finditer(mark.encode(), stream)]


def _connection(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
