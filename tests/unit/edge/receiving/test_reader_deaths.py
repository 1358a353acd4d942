"""What a reader has answered 0x0000 gets into the journal whatever happens to it, the journal or the disk."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from edge_component.dimse.admission import Applicant
from edge_component.journal.database import JournalError
from edge_component.receiving.readers import process
from edge_component.receiving.readers.interfaces import Heal
from edge_component.receiving.readers.messages import Action, Admission, Loan
from edge_component.receiving.readers.pool import Readers
from edge_component.receiving.readers.process import DIED
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.spool.folder import Spool
from tests.support.edge.dicom import instance
from tests.support.edge.network.wire import Wire, fragment, store_command
from tests.support.edge.process import in_spool
from tests.support.edge.stand_ins import settings
from tests.support.machine.waiting import wait_until

SENDER = AssociationRow("a1", "SENDER", "EDGE", "127.0.0.1", 1.5)


class Journal:
    """Takes rows when it is told to."""

    def __init__(self) -> None:
        self.takes = threading.Event()
        self.asked = threading.Event()
        self.files: list[str] = []

    def ready(self) -> None:
        self.asked.set()
        if not self.takes.is_set():
            raise JournalError("the disk is full")

    def add_instance(self, _sender: AssociationRow, row: InstanceRow) -> None:
        self.files.append(row.file)

    def seal(self, segment: str, records: int) -> None: ...

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        raise RuntimeError(f"nobody can count 0x{code:04X} of {calling_ae}: {reason}")


class Desk:
    """Admits whoever comes, and hears how it ended."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def admit(self, _connection: int, _applicant: Applicant) -> Admission:
        return Admission(SENDER)

    def act_later(self, connection: int, action: Action, answer: object) -> None:
        raise AssertionError((connection, action, answer))

    def reported(self, connection: int, status: int | None) -> None:
        raise AssertionError((connection, status))

    def delayed(self, connection: int) -> None:
        raise AssertionError(connection)

    def left(self, connection: int, *, aborted: bool, reason: str) -> None:
        assert connection == 1
        self.reason = reason if aborted else None


class Modality:
    """An association that a reader has."""

    def __init__(self, readers: Readers, desk: Desk) -> None:
        self.desk = desk
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.wire = Wire(server.getsockname()[1])
            ours, _ = server.accept()
        with ours:
            assert readers.lend(ours, Loan(1, "127.0.0.1", False)) is not None
        self.wire.associate()

    def send(self, ds: Dataset, sop_instance: str | None = None) -> None:
        """A C-STORE; with another SOP Instance UID in its command it will be refused."""
        content = encode(ds, False, True)
        assert content is not None
        command = store_command(str(ds.SOPClassUID), sop_instance or str(ds.SOPInstanceUID))
        self.wire.send(fragment(1, command, command=True, last=True))
        self.wire.send(fragment(1, content, command=False, last=True))

    def store(self, ds: Dataset) -> None:
        """Send it and hear the answer."""
        self.send(ds)
        assert self.wire.status()[0] == 0

    def heard_of_death(self) -> bool:
        return self.desk.reason == DIED


@contextmanager
def one_reader(spool: Path, journal: Journal, heal: Heal) -> Iterator[Readers]:
    Spool(spool).prepare()
    readers = Readers(settings(spool, receiver_processes=1), journal, heal, Desk())
    readers.start()
    try:
        yield readers
    finally:
        readers.stop(10)


@contextmanager
def modality_of(readers: Readers) -> Iterator[Modality]:
    modality = Modality(readers, cast("Desk", readers._desk))
    try:
        yield modality
    finally:
        modality.wire.socket.close()


def kill(readers: Readers) -> int:
    [pid] = readers.pids
    os.kill(pid, 9)
    return pid


def test_a_full_disk_only_puts_off_what_a_dead_reader_has_stored(tmp_path: Path) -> None:
    healed: list[str] = []

    def heal(run: str) -> None:
        healed.append(run)
        if len(healed) < 3:
            raise [JournalError("the disk is full"), OSError(28, "no space")][len(healed) - 1]

    with one_reader(tmp_path, Journal(), heal) as readers, modality_of(readers) as modality:
        dead = kill(readers)
        wait_until(modality.heard_of_death, "the association is over")
        wait_until(lambda: readers.pids not in ([], [dead]), "another reader")
        assert len(healed) == 3
        assert len(set(healed)) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that is what is tried
def test_a_fault_of_ours_in_looking_for_it_stays_visible(tmp_path: Path) -> None:
    called = threading.Event()

    def heal(_run: str) -> None:
        called.set()
        raise KeyError("a fault")

    with one_reader(tmp_path, Journal(), heal) as readers, modality_of(readers) as modality:
        kill(readers)
        assert called.wait(20)
        wait_until(modality.heard_of_death, "the association is over")
        wait_until(lambda: not reader_threads(), "its thread has ended")
        assert readers.mending
        assert readers.restarts == 0


def reader_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("reader ")]


def test_rows_that_wait_for_the_journal_are_looked_for_although_their_reader_is_dead(tmp_path: Path) -> None:
    journal, healed = Journal(), list[str]()
    with one_reader(tmp_path, journal, healed.append) as readers, modality_of(readers) as modality:
        modality.store(instance())
        assert journal.asked.wait(20)
        dead = kill(readers)
        journal.takes.set()
        wait_until(lambda: readers.pids not in ([], [dead]), "another reader")
    [run] = healed
    [row] = in_spool(tmp_path)
    assert row.file.startswith(run)
    assert journal.files == [row.file]


def test_while_the_journal_takes_nothing_its_readers_death_is_not_forgotten(tmp_path: Path) -> None:
    """The one who watches over readers must not let go of one whose rows are not in the journal yet."""
    journal, healed = Journal(), list[str]()
    with one_reader(tmp_path, journal, healed.append) as readers, modality_of(readers) as modality:
        modality.store(instance())
        assert journal.asked.wait(20)
        kill(readers)
        journal.asked.clear()
        assert journal.asked.wait(20)  # it goes on asking, long after its reader was seen to be dead
        journal.asked.clear()
        assert journal.asked.wait(20)
        assert not healed
        assert readers.mending
        journal.takes.set()
        wait_until(lambda: not readers.mending, "its instances are looked for")
        assert len(healed) == 1


def test_a_reader_that_is_not_understood_answers_nobody_any_more(tmp_path: Path) -> None:
    running: list[bool] = []

    def heal(_run: str) -> None:
        running.append(Path(f"/proc/{confused}").exists())

    with one_reader(tmp_path, Journal(), heal) as readers, modality_of(readers) as modality:
        [confused] = readers.pids
        modality.send(instance(), sop_instance="1.2.3")  # refused, and its count cannot be taken
        wait_until(modality.heard_of_death, "the association is over")
        assert running == [False]  # nobody writes any more to what is looked through
        wait_until(lambda: readers.pids not in ([], [confused]), "another reader")


def test_where_no_process_can_be_started_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def refuse(*_: Any, **__: Any) -> None:
        tried.set()
        raise BlockingIOError(11, "no more processes")

    journal = Journal()
    journal.takes.set()
    with one_reader(tmp_path, journal, list) as readers:
        with monkeypatch.context() as patch:
            patch.setattr(process, "subprocess", Refusing(refuse))
            kill(readers)
            assert tried.wait(20)
            assert readers.pids == []
        wait_until(lambda: readers.pids, "another reader")
        assert readers.restarts == 1
        with modality_of(readers) as modality:
            modality.store(instance())


class Refusing:
    """The module `subprocess` where nothing can be started."""

    PIPE, TimeoutExpired = subprocess.PIPE, subprocess.TimeoutExpired

    def __init__(self, popen: Any) -> None:
        self.Popen = popen
