"""An instance is written from the buffers that it came into, whatever its length and its fragments."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.receiving.readers.connection import Connection
from edge_component.receiving.readers.interfaces import Services
from edge_component.receiving.readers.messages import Admission
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.readers.space import LARGE_BYTES, MOST, LargeBuffers
from edge_component.records.part10 import part10_head
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.disk import RecordingFiles
from tests.support.edge.network.wire import CT, EXPLICIT, associate_rq, fragment, pdu, store_command
from tests.support.machine.waiting import wait_until
from tests.unit.edge.receiving.test_connection import Desk, pair
from tests.unit.edge.receiving.test_store import SENDER, Journal, store_at

RELEASE_BYTES, HEAD_BYTES = 10, 6
LENGTHS = (0, 1_000, 140_000, 300_000, 530_000, 700_000, 1_600_000)


class Known(Desk):
    def admit(self, _applicant: object) -> Admission:
        return Admission(SENDER)


class Shared(Journal):
    """Before an instance is written, another connection writes into each large buffer that is free."""

    buffers: LargeBuffers

    def ready(self) -> None:
        if lent := self.buffers.take():
            lent[:] = b"\xee" * len(lent)


def with_pixels(number: int, length: int) -> Dataset:
    """Every byte tells where it is from."""
    pixels = bytes((number * 37 + at // 251 + at) % 256 for at in range(length - length % 2))
    ds = instance()
    ds.PixelData = pixels
    return ds


def conversation(sets: list[Dataset], piece: int) -> bytes:
    stream = associate_rq([(1, CT, [EXPLICIT])])
    for number, ds in enumerate(sets):
        data = encoded(ds)
        stream += fragment(1, store_command(CT, str(ds.SOPInstanceUID), number + 1), command=True, last=True)
        pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
        stream += b"".join(
            fragment(1, each, command=False, last=index == len(pieces) - 1)
            for index, each in enumerate(pieces)
        )
    return stream + pdu(5, bytes(4))


def services_of(root: Path, journal: Journal, most: int, files: RecordingFiles | None = None) -> Services:
    limits = Limits()
    identity = Identity("1.2.3", "TEST")
    services = Services(store_at(root, journal, files), limits, identity, lambda: None, Pace(), Memory())
    services.buffers = LargeBuffers(limits, most)
    return services


def received(services: Services, stream: bytes) -> None:
    ours, theirs = pair()
    reading = threading.Thread(target=lambda: [None for _ in iter(lambda: theirs.recv(4096), b"")])
    writing = threading.Thread(target=theirs.sendall, args=(stream,))
    reading.start()
    writing.start()
    connection = Connection(ours, "127.0.0.1", services, Known())
    connection.run(tls=False)
    writing.join()
    theirs.shutdown(socket.SHUT_RDWR)
    reading.join()
    theirs.close()
    assert connection.released, connection.ending


@pytest.mark.parametrize("piece", [131_060, 16_378, 200])
@pytest.mark.parametrize("most", [MOST, 0])
def test_what_is_stored_is_what_came(tmp_path: Path, piece: int, most: int) -> None:
    """Asynchronously: each instance follows the one before without waiting for its answer."""
    journal = Journal()
    services = services_of(tmp_path, journal, most)
    sets = [with_pixels(number, length) for number, length in enumerate(LENGTHS)]
    received(services, conversation(sets, piece))
    assert len(journal.rows) == len(sets)
    for ds, row in zip(sets, journal.rows, strict=True):
        with services.store.spool.read(row.file, row.bytes) as file:
            head = part10_head(str(ds.SOPClassUID), str(ds.SOPInstanceUID), EXPLICIT)
            assert file.read() == head + encoded(ds)


@pytest.mark.parametrize("whole", [True, False])
def test_a_large_buffer_is_lent_for_one_instance(tmp_path: Path, *, whole: bool) -> None:
    """It comes back with the answer, or where the sender goes away before."""
    services = services_of(tmp_path, Journal(), most=1)
    ours, theirs = pair()
    connection = Connection(ours, "127.0.0.1", services, Known())
    serving = threading.Thread(target=connection.run, kwargs={"tls": False})
    serving.start()
    stream = conversation([with_pixels(0, 300_000)], 131_060)[: -RELEASE_BYTES if whole else -100_000]
    theirs.sendall(stream)
    if whole:
        while b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" not in (stream := theirs.recv(65536)):
            assert stream
        wait_until(lambda: services.buffers.free == 1)
    theirs.shutdown(socket.SHUT_WR)
    while theirs.recv(65536):
        pass
    serving.join()
    theirs.close()
    assert services.buffers.free == 1
    lent = services.buffers.take()
    assert lent is not None
    assert len(lent) == LARGE_BYTES
    assert services.buffers.take() is None


def test_a_large_buffer_takes_the_longest_pdu_that_is_agreed_on() -> None:
    lent = LargeBuffers(Limits(max_pdu=4 * LARGE_BYTES)).take()
    assert lent is not None
    assert len(lent) > 4 * LARGE_BYTES


def test_a_large_buffer_is_not_lent_on_while_a_pdu_in_it_goes_on(tmp_path: Path) -> None:
    """One PDU may hold the end of an instance and the whole of the next one."""
    journal = Shared()
    services = services_of(tmp_path, journal, most=1)
    journal.buffers = services.buffers
    large, small = with_pixels(0, 300_000), with_pixels(1, 1_000)
    data, following = encoded(large), encoded(small)
    begun = fragment(1, store_command(CT, str(large.SOPInstanceUID)), command=True, last=True)
    pieces = [data[at : at + 131_060] for at in range(0, len(data), 131_060)]
    begun += b"".join(fragment(1, piece, command=False, last=False) for piece in pieces[:-1])
    values = [
        fragment(1, pieces[-1], command=False, last=True),
        fragment(1, store_command(CT, str(small.SOPInstanceUID), 2), command=True, last=True),
        fragment(1, following, command=False, last=True),
    ]
    together = pdu(4, b"".join(value[HEAD_BYTES:] for value in values))
    received(services, associate_rq([(1, CT, [EXPLICIT])]) + begun + together + pdu(5, bytes(4)))
    assert len(journal.rows) == 2
    with services.store.spool.read(journal.rows[1].file, journal.rows[1].bytes) as file:
        assert file.read().endswith(following)


def test_a_disk_that_takes_no_file_is_said_at_the_end_of_an_instance_of_any_length(
    tmp_path: Path,
) -> None:
    journal = Journal()
    services = services_of(tmp_path, journal, MOST, RecordingFiles(full_at=0))
    received(services, conversation([with_pixels(0, length) for length in LENGTHS], 16_378))
    assert (journal.rows, journal.failures, journal.codes) == ([], len(LENGTHS), {0xA700})
