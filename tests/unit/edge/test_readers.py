"""What the edge and its reader processes say to each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_component.dimse.stream import HandBack
from edge_component.journal.rows import AssociationRow, InstanceRow
from edge_component.receiving.readers.channel import Channel, Message
from edge_component.receiving.readers.messages import (
    ARRIVED,
    SEALED,
    Loan,
    decode_arrived,
    decode_back,
    decode_room,
    decode_sealed,
    encode_back,
    encode_room,
    encode_sealed,
)
from edge_component.receiving.readers.pool import Readers
from edge_component.receiving.readers.process import DIED
from edge_component.receiving.readers.reader import RemoteJournal, RemoteRoom
from edge_component.spool.receipt import decode_receipt, encode_receipt
from tests.support.edge_process import wait_until
from tests.support.edge_stand_ins import settings
from tests.support.edge_wire import CT, EXPLICIT, echo_command, fragment

SENDER = AssociationRow("a1", "SENDER \\xE9", "EDGE", "127.0.0.1", 1.5)


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), Channel(theirs)


class Rows:
    def ready(self) -> None:
        raise AssertionError("no row was expected")

    def add_instance(self, sender: AssociationRow, row: InstanceRow) -> None:
        raise AssertionError((sender, row))

    def seal(self, segment: str, records: int) -> None:
        raise AssertionError((segment, records))

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        raise AssertionError((code, calling_ae, reason))


def test_messages_of_any_size_arrive_whole_and_in_order(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    bodies = [b"", b"x", os.urandom(3_000_000), b"\n" * 70_000]

    def send() -> None:
        for body in bodies:
            ours.send(b"I", body)
        ours.close()

    thread = threading.Thread(target=send)
    thread.start()
    assert [message.body for message in theirs.messages()] == bodies
    thread.join()


def test_a_connection_arrives_with_its_message_and_no_other(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    one, other = socket.socketpair()
    with one, other:
        ours.send(b"I", b"before")
        ours.send(b"L", b"lent", one.fileno())
        ours.send(b"I", b"behind")
        ours.close()
        before, lent, behind = list(theirs.messages())
        assert (before.connection, behind.connection) == (None, None)
        assert isinstance(lent, Message)
        with socket.socket(fileno=lent.connection) as connection:
            connection.sendall(b"through it")
            assert other.recv(100) == b"through it"


def test_a_message_cut_off_by_a_death_is_no_message() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"I\x00\x00\x00\x09half")
        ours.close()
        assert list(Channel(theirs).messages()) == []


def test_what_is_said_is_understood() -> None:
    loan = Loan(7, SENDER, {1: EXPLICIT, 255: CT})
    assert Loan.decode(loan.encode()) == loan
    assert decode_sealed(encode_sealed("a-1", 3)) == ("a-1", 3)
    for back in (HandBack(), HandBack(b"\n\x04\n"), HandBack(gone="reset"), HandBack(wrong="no head")):
        assert decode_back(encode_back(7, back)) == (7, back)
    assert decode_room(encode_room("full", 0.5)) == ("full", 0.5)
    room = RemoteRoom()
    room.set(encode_room("full", 0.0))
    assert room.refusal() == "full"


def test_rows_go_together_and_before_whatever_comes_after_them(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    row = InstanceRow("a1", "a-1/0", 1.5, "1.2", "1.2.3", "1.2.3.4", CT, EXPLICIT, "CT", 9, 7, "[]", "{}")
    receipts = [encode_receipt(SENDER, row._replace(file=f"a-1/{at}")) for at in (0, 4096, 8192)]
    journal = RemoteJournal(ours)
    for receipt in receipts[:2]:
        journal.add_instance(SENDER, row, receipt)
    journal.seal("a-1", 2)
    heard = theirs.messages()
    first = next(heard)
    assert (first.kind, list(decode_arrived(first.body))) == (ARRIVED, receipts[:2])
    assert next(heard) == Message(SEALED, encode_sealed("a-1", 2))
    journal.add_instance(SENDER, row, receipts[2])
    assert [decode_receipt(receipt)[1].file for receipt in decode_arrived(next(heard).body)] == ["a-1/8192"]


def test_without_readers_nothing_is_lent(tmp_path: Path) -> None:
    readers = Readers(settings(tmp_path, receiver_processes=0), Rows(), list)
    readers.start()
    one, other = socket.socketpair()
    with one, other:
        assert readers.lend(one, SENDER, {1: EXPLICIT}) is None
    readers.stop(1)


def test_a_connection_comes_back_with_what_is_no_c_store(tmp_path: Path) -> None:
    readers = Readers(settings(tmp_path, receiver_processes=1), Rows(), list)
    readers.start()
    one, other = socket.socketpair()
    try:
        with one, other:
            lent = readers.lend(one, SENDER, {1: EXPLICIT})
            assert lent is not None
            echo = fragment(1, echo_command(), command=True, last=True)
            other.sendall(echo)
            assert lent.wait(20) == HandBack(pdu=echo)
            other.sendall(b"still open")
            assert one.recv(100) == b"still open"
    finally:
        readers.stop(10)


def test_what_a_dead_reader_had_is_over_and_another_reader_comes(tmp_path: Path) -> None:
    healed: list[str] = []
    readers = Readers(settings(tmp_path, receiver_processes=1), Rows(), healed.append)
    readers.start()
    one, other = socket.socketpair()
    try:
        with one, other:
            lent = readers.lend(one, SENDER, {1: EXPLICIT})
            assert lent is not None
            other.sendall(fragment(1, echo_command()[:20], command=True, last=True)[:10])
            [pid] = readers.pids
            os.kill(pid, 9)
            assert lent.wait(20) == HandBack(gone=DIED)
            assert len(healed) == 1
            wait_until(lambda: readers.pids not in ([], [pid]), "another reader")
    finally:
        readers.stop(10)


def test_a_reader_loads_nothing_that_takes_memory_and_does_not_receive() -> None:
    """There are several of them; together the receiving processes stay below 100 MB."""
    program = (
        "from edge_component.running.lean import be_lean; be_lean()\n"
        "import sys; import edge_component.receiving.readers.reader\n"
        "print([name for name in ('pydantic', 'yaml', 'botocore', 'pynetdicom') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_names_of_private_elements_are_left_out_and_what_is_read_stays_the_same() -> None:
    program = (
        "from edge_component.running.lean import be_lean; be_lean()\n"
        "import io; from pydicom import Dataset, dcmwrite\n"
        "from pydicom.datadict import private_dictionaries\n"
        "from edge_component.receiving.header import read_header\n"
        "ds = Dataset(); ds.StudyInstanceUID = ds.SeriesInstanceUID = ds.SOPInstanceUID = '2.25.7'\n"
        "ds.SOPClassUID = '1.2.840.10008.5.1.4.1.1.2'; ds.Modality = 'CT'\n"
        "ds.add_new(0x00190010, 'LO', 'GEMS_ACQU_01'); ds.add_new(0x00191002, 'SL', 7)\n"
        "stream = io.BytesIO(); dcmwrite(stream, ds, implicit_vr=True, little_endian=True)\n"
        "stream.seek(0); header = read_header(stream, '1.2.840.10008.1.2')\n"
        "print(len(private_dictionaries), header.modality, header.sop_instance_uid)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "CT", "2.25.7"]
