"""Storage commitment at the desk: what a request is answered, and whose report is whose."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from edge_component.dimse.admission import Applicant
from edge_component.journal.database import JournalError
from edge_component.receiving.associations import Associations
from edge_component.receiving.desk import Desk
from edge_component.receiving.readers.messages import Action, Admission, Report
from edge_component.records.commitment import Request
from edge_component.records.rows import AssociationRow
from tests.support.edge.network.wire import EXPLICIT, IMPLICIT
from tests.support.edge.stand_ins import settings

WELL_KNOWN = "1.2.840.10008.1.20.1.1"


class Journal:
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.takes = threading.Event()
        self.error: JournalError | None = None
        self.requests: list[Request] = []

    def heard(self, calling_ae: str) -> None: ...

    def close_association(self, association: str, *, aborted: bool) -> None: ...

    def request_commitment(self, request: Request, sender: AssociationRow) -> None:
        assert sender.calling_ae == "CT1"
        assert self.takes.wait(30)
        if self.error is not None:
            raise self.error
        self.requests.append(request)


class Served:
    """An association that reports are sent on."""

    def __init__(self, desk: Desk, number: int, status: int | None) -> None:
        self.reports: list[Report] = []
        self._desk, self._number, self._status = desk, number, status

    def drop(self, *, abort: bool) -> None: ...

    def report(self, report: Report) -> bool:
        self.reports.append(report)
        self._desk.reported(self._number, self._status)
        return True


def asked(syntax: str = EXPLICIT, transaction: str = "2.25.1") -> bytes:
    wanted, item = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    wanted.TransactionUID, wanted.ReferencedSOPSequence = transaction, [item]
    return cast("bytes", encode(wanted, syntax == IMPLICIT, True))


def opened(tmp_path: Path, journal: Journal, status: int | None = 0) -> tuple[Desk, Action, Served]:
    """A desk, an association's request, and the association."""
    associations = Associations(settings(tmp_path), journal)
    desk = Desk(associations, journal, 30)
    visitor = associations.arrived("127.0.0.1")
    assert visitor is not None
    admission = desk.admit(visitor.number, Applicant("127.0.0.1", "CT1", "EDGE"))
    assert isinstance(admission, Admission)
    served = Served(desk, visitor.number, status)
    associations.served(visitor, served)
    return desk, Action(admission.row.association, 3, EXPLICIT, 1, WELL_KNOWN, asked()), served


def test_a_request_is_answered_when_it_is_on_the_disk_and_not_before(tmp_path: Path) -> None:
    journal, answers = Journal(), list[int]()
    desk, action, _ = opened(tmp_path, journal)
    answered = threading.Event()

    def answer(status: int) -> None:
        answers.append(status)
        answered.set()

    desk.act_later(1, action, answer)
    assert not answered.wait(0.05)
    journal.takes.set()
    assert answered.wait(30)
    assert (answers, [request.transaction_uid for request in journal.requests]) == ([0x0000], ["2.25.1"])
    desk.close()


def test_a_request_that_the_journal_does_not_take_has_failed(tmp_path: Path) -> None:
    journal = Journal()
    journal.takes.set()
    journal.error = JournalError("the disk is full")
    desk, action, _ = opened(tmp_path, journal)
    assert desk.act(1, action) == 0x0110


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", [b"", b"\xff" * 50, asked()[:-3], asked(transaction="../x")])
def test_a_request_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes) -> None:
    journal = Journal()
    journal.takes.set()
    desk, action, _ = opened(tmp_path, journal)
    action = Action(action.association, 3, EXPLICIT, 1, WELL_KNOWN, data)
    assert desk.act(1, action) == 0x0115
    assert journal.requests == []


@pytest.mark.parametrize(("status", "outcome"), [(0x0000, True), (0x0110, False), (None, None)])
def test_a_report_goes_to_the_association_that_asked_in_its_encoding(
    tmp_path: Path, status: int | None, outcome: bool | None
) -> None:
    journal = Journal()
    journal.takes.set()
    desk, action, served = opened(tmp_path, journal, status)
    assert desk.report(action.association, 1, Dataset()) is None  # it has not asked yet
    assert desk.act(1, action) == 0
    information = Dataset()
    information.TransactionUID = "2.25.1"
    assert desk.report(action.association, 1, information) is outcome
    [report] = served.reports
    assert (report.context, report.data) == (3, encode(information, False, True))
    desk.left(1, aborted=False, reason="")
    assert desk.report(action.association, 1, information) is None
