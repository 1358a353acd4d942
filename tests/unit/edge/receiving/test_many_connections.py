"""Many connections that come in pieces, in turn: whatever is acknowledged is on the disk as it was sent."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.receiving.readers.connection import Connection
from edge_component.receiving.readers.interfaces import Services
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.readers.space import LargeBuffers
from edge_component.receiving.readers.stream import GoneError, Stream
from edge_component.records.part10 import part10_head
from tests.support.edge.dicom import encoded
from tests.support.edge.network.wire import CT, EXPLICIT, associate_rq, fragment, pdu, store_command
from tests.unit.edge.receiving.test_space import HEAD_BYTES, Known, with_pixels
from tests.unit.edge.receiving.test_store import Journal, store_at

GARBAGE = random.Random(0).randbytes(1024 * 1024)
LENGTHS = (0, 500, 65_000, 147_000, 512 * 1024, 670_000, 700_000)
"""Around what is walked in one go, and around the buffers' sizes."""


class Pieces(Stream):
    """What one peer sends, cut anywhere. Room for more is garbage until something is read into it."""

    def __init__(self, data: bytes, rng: random.Random) -> None:
        with socket.socket() as unused:
            super().__init__(unused)
        self._data, self._rng, self._at = data, rng, 0

    def receive(self, space: memoryview, missing: int) -> int | None:
        """Some of what is wanted."""
        most = min(missing or len(space), len(space))
        count = min(self._rng.choice([1, HEAD_BYTES, self._rng.randint(1, most), most]), most)
        piece = self._data[self._at : self._at + count]
        space[:] = GARBAGE[: len(space)]
        space[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def acknowledge_quickly(self) -> None:
        """Nobody waits."""

    def give(self, seconds: float) -> None:
        """Nothing to wait for."""

    def wait_in_the_system(self, seconds: float) -> None:
        """Nothing to wait for."""

    def send(self, data: bytes) -> None:
        """Nobody listens."""


class Lent(LargeBuffers):
    """A free buffer is another connection's at once."""

    def give_back(self, buffer: memoryview) -> None:
        """With what another one has read into it."""
        buffer[:] = GARBAGE[: len(buffer)]
        super().give_back(buffer)


def sent(rng: random.Random, most: int) -> tuple[bytes, dict[str, bytes]]:
    """Instances without waiting for their answers: with several fragments a PDU, or an empty one."""
    values, data_sets = [], {}
    for number in range(rng.randint(1, 3)):
        ds = with_pixels(number, max(0, rng.choice(LENGTHS) + rng.randint(-600, 600)))
        sop, data = str(ds.SOPInstanceUID), encoded(ds)
        data_sets[sop] = data
        values.append(fragment(1, store_command(CT, sop, number + 1), command=True, last=True))
        length, at = rng.choice([most, 16_378, 3_000]), 0
        while at < len(data):
            size = rng.choice([length, length, rng.randint(0, length)])
            values.append(fragment(1, data[at : at + size], command=False, last=at + size >= len(data)))
            at += size
    stream, body = associate_rq([(1, CT, [EXPLICIT])]), b""
    for value in (each[HEAD_BYTES:] for each in values):
        if body and (len(body) + len(value) > most or rng.random() < 0.5):
            stream, body = stream + pdu(4, body), b""
        body += value
    return stream + pdu(4, body) + pdu(5, bytes(4)), data_sets


@pytest.mark.parametrize("seed", range(12))
def test_what_is_acknowledged_is_what_was_sent_however_it_came(tmp_path: Path, seed: int) -> None:
    rng, journal, limits = random.Random(seed), Journal(), Limits()
    store, identity = store_at(tmp_path, journal), Identity("1.2.3", "TEST")
    services = Services(store, limits, identity, lambda: None, Pace(lambda _seconds: None), Memory())
    most = seed % 4
    services.buffers = Lent(limits, most)
    expected: dict[str, bytes] = {}
    waiting = []
    for number in range(3):
        stream, data_sets = sent(rng, limits.max_pdu - HEAD_BYTES)
        expected |= data_sets
        cut = len(stream) if number else rng.randrange(len(stream))
        with socket.socket() as unused:
            connection = Connection(unused, "peer", services, Known())
        connection._stream = Pieces(stream[:cut], rng)
        waiting.append(connection)
    with_rows = len(expected)
    while waiting:
        connection = rng.choice(waiting)
        try:
            going_on = connection._step()
        except GoneError:
            going_on = False
        if not going_on:
            waiting.remove(connection)
            connection._space.close()
            if connection._reception is not None:
                connection._reception.abandon()
    assert with_rows - 3 <= len(journal.rows) <= with_rows
    for row in journal.rows:
        with store.spool.read(row.file, row.bytes) as file:
            head = part10_head(CT, row.sop_instance_uid, EXPLICIT)
            assert file.read() == head + expected[row.sop_instance_uid]
    lent = [services.buffers.take() for _ in range(most + 1)]
    assert (lent.count(None), lent[-1]) == (1, None)
