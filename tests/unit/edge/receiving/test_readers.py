"""What the edge and its reader processes say to each other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_component.dimse.admission import TOO_MANY, Applicant, Rejection
from edge_component.receiving.pressure import Pressure, Pressures
from edge_component.receiving.readers.channel import Channel, Message
from edge_component.receiving.readers.messages import (
    ARRIVED,
    SEALED,
    Action,
    Admission,
    Loan,
    Report,
    decode_action,
    decode_admit,
    decode_admitted,
    decode_arrived,
    decode_loan,
    decode_pair,
    decode_report,
    decode_room,
    decode_sealed,
    encode_action,
    encode_admit,
    encode_admitted,
    encode_loan,
    encode_pair,
    encode_report,
    encode_room,
    encode_sealed,
)
from edge_component.receiving.readers.pool import Readers
from edge_component.receiving.readers.process import DIED
from edge_component.receiving.readers.reader import RemoteJournal, RemoteRoom
from edge_component.records.rows import AssociationRow, InstanceRow
from tests.support.edge.network.wire import (
    A_RELEASE_RP,
    CT,
    EXPLICIT,
    VERIFICATION,
    Wire,
    echo_command,
    fragment,
    pdu,
)
from tests.support.edge.stand_ins import settings
from tests.support.machine.waiting import wait_until

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


def test_what_is_said_is_understood(tmp_path: Path) -> None:
    loan = Loan(7, "10.0.0.1", True)
    assert decode_loan(encode_loan(loan)) == loan
    assert decode_sealed(encode_sealed("a-1", 3)) == ("a-1", 3)
    applicant = Applicant("::1", "A\\xE9", "B")
    assert decode_admit(encode_admit(7, applicant)) == (7, applicant)
    for answer in (Admission(SENDER, "lossless", bulk=True), TOO_MANY):
        assert decode_admitted(encode_admitted(7, answer)) == (7, answer)
    action = Action("a1", 3, EXPLICIT, None, "1.2", b"\n{}\n\0")
    assert decode_action(encode_action(7, action)) == (7, action)
    report = Report(3, b"\n\0command", b"\ndata\n")
    assert decode_report(encode_report(7, report)) == (7, report)
    assert decode_pair(encode_pair(7, None)) == (7, None)
    pressures = Pressures(Pressure(None, 0.001), Pressure("full", 0.0, 0.5))
    assert decode_room(encode_room(pressures)) == pressures
    room = RemoteRoom(tmp_path, 0)
    room.set(encode_room(pressures))
    assert (room.refusal(bulk=True), room.refusal_now(bulk=True), room.answer_after(bulk=True)) == (
        "full",
        "full",
        0.5,
    )
    assert (room.refusal(), room.refusal_now(), room.answer_after(bulk=False)) == (None, None, 0.0)


def test_a_reader_sees_by_itself_that_the_disk_is_full_to_its_reserve(tmp_path: Path) -> None:
    """The edge looks once a second: a fast sender fills much of a disk in between."""
    assert RemoteRoom(tmp_path, 0).refusal_now() is None
    assert "reserve" in str(RemoteRoom(tmp_path, 2**62).refusal_now())


def test_rows_go_together_and_before_whatever_comes_after_them(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    row = InstanceRow("a1", "a-1/0", 1.5, "1.2", "1.2.3", "1.2.3.4", CT, EXPLICIT, "CT", 9, 7, "[]", "{}")
    arrivals = [(SENDER, row._replace(file=f"a-1/{at}")) for at in (0, 4096, 8192)]
    journal = RemoteJournal(ours)
    for arrival in arrivals[:2]:
        journal.add_instance(*arrival)
    journal.seal("a-1", 2)
    heard = theirs.messages()
    first = next(heard)
    assert (first.kind, decode_arrived(first.body)) == (ARRIVED, arrivals[:2])
    assert next(heard) == Message(SEALED, encode_sealed("a-1", 2))
    journal.add_instance(*arrivals[2])
    assert decode_arrived(next(heard).body) == arrivals[2:]


class Desk:
    """Admits whoever comes."""

    def __init__(self) -> None:
        self.over: dict[int, tuple[bool, str]] = {}
        self.applicants: list[Applicant] = []

    def admit(self, connection: int, applicant: Applicant) -> Admission | Rejection:
        self.applicants.append(applicant)
        return Admission(SENDER._replace(association=f"a{connection}"))

    def act_later(self, connection: int, action: Action, answer: object) -> None:
        raise AssertionError((connection, action, answer))

    def reported(self, connection: int, status: int | None) -> None:
        raise AssertionError((connection, status))

    def delayed(self, connection: int) -> None:
        raise AssertionError(connection)

    def left(self, connection: int, *, aborted: bool, reason: str) -> None:
        self.over[connection] = aborted, reason


def lend(readers: Readers, connection: int = 1) -> Wire:
    """A peer whose connection a reader has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = Wire(server.getsockname()[1])
        ours, _ = server.accept()
    with ours:
        assert readers.lend(ours, Loan(connection, "127.0.0.1", False)) is not None
    return peer


def test_without_readers_nothing_is_lent(tmp_path: Path) -> None:
    readers = Readers(settings(tmp_path, receiver_processes=0), Rows(), list, Desk())
    readers.start()
    one, other = socket.socketpair()
    with one, other:
        assert readers.lend(one, Loan(1, "127.0.0.1", False)) is None
    readers.stop(1)


def test_a_reader_serves_a_connection_from_its_first_byte_to_its_last(tmp_path: Path) -> None:
    desk = Desk()
    readers = Readers(settings(tmp_path, receiver_processes=1), Rows(), list, desk)
    readers.start()
    try:
        peer = lend(readers)
        peer.associate([(1, VERIFICATION, [EXPLICIT])])
        peer.send(fragment(1, echo_command(), command=True, last=True))
        assert peer.status()[0] == 0
        peer.send(pdu(5, bytes(4)))
        assert peer.receive() == (A_RELEASE_RP, bytes(4))
        peer.socket.close()
        wait_until(lambda: desk.over == {1: (False, "")}, "the desk hears of the release")
        assert desk.applicants == [Applicant("127.0.0.1", "WIRE", "DICOM-INGEST")]
        assert readers.lent == 0
    finally:
        readers.stop(10)


def test_the_associations_of_a_dead_reader_are_over_and_another_reader_comes(tmp_path: Path) -> None:
    healed, desk = list[str](), Desk()
    readers = Readers(settings(tmp_path, receiver_processes=1), Rows(), healed.append, desk)
    readers.start()
    try:
        peer = lend(readers)
        peer.associate()
        [pid] = readers.pids
        os.kill(pid, 9)
        wait_until(lambda: desk.over == {1: (True, DIED)}, "the association is over")
        peer.socket.close()
        wait_until(lambda: len(healed) == 1, "what it has stored is looked for")
        wait_until(lambda: readers.pids not in ([], [pid]), "another reader")
    finally:
        readers.stop(10)


def test_a_reader_that_hangs_is_killed_and_another_comes(tmp_path: Path) -> None:
    readers = Readers(settings(tmp_path, receiver_processes=1, hung_seconds=2), Rows(), list, Desk())
    readers.start()
    try:
        [pid] = readers.pids
        os.kill(pid, signal.SIGSTOP)
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
        "from edge_component.receiving.datasets.header import read_header\n"
        "ds = Dataset(); ds.StudyInstanceUID = ds.SeriesInstanceUID = ds.SOPInstanceUID = '2.25.7'\n"
        "ds.SOPClassUID = '1.2.840.10008.5.1.4.1.1.2'; ds.Modality = 'CT'\n"
        "ds.add_new(0x00190010, 'LO', 'GEMS_ACQU_01'); ds.add_new(0x00191002, 'SL', 7)\n"
        "stream = io.BytesIO(); dcmwrite(stream, ds, implicit_vr=True, little_endian=True)\n"
        "stream.seek(0); header = read_header(stream, '1.2.840.10008.1.2')\n"
        "print(len(private_dictionaries), header.modality, header.sop_instance_uid)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "CT", "2.25.7"]
