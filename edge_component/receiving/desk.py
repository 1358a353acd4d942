"""What connections ask the edge for, wherever they are served: associations, storage commitment, the end."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from edge_component.dimse import commands
from edge_component.dimse.admission import Applicant, Rejection
from edge_component.dimse.negotiation import IMPLICIT_VR_LITTLE_ENDIAN
from edge_component.journal.database import JournalError
from edge_component.receiving.associations import Associations
from edge_component.receiving.datasets.elements import ElementWalk
from edge_component.receiving.datasets.header import EXPLICIT_ELEMENTS, IMPLICIT_ELEMENTS
from edge_component.receiving.datasets.values import UNREADABLE
from edge_component.receiving.readers.messages import Action, Admission, Report
from edge_component.receiving.readers.reports import HURRY_SECONDS
from edge_component.records.commitment import (
    INVALID_ARGUMENT,
    PROCESSING_FAILURE,
    SOP_CLASS,
    SOP_INSTANCE,
    CommitmentRequestError,
    Request,
    parse_request,
)
from edge_component.records.rows import AssociationRow
from edge_component.running import logs

PARSERS = 2
"""Threads that read storage commitment requests: a large one takes seconds, and must not hold up rows."""


class CommitmentJournal(Protocol):
    """Where storage commitment requests are written down."""

    def request_commitment(self, request: Request, sender: AssociationRow) -> None:
        """Returns when a request is on the disk, raises JournalError otherwise."""
        ...


def _check_whole(data: bytes, *, implicit: bool) -> None:
    """Pydicom takes what is cut off for shorter.

    Raises:
        DataSetError: the data set ends inside an element.
    """
    walk = ElementWalk(IMPLICIT_ELEMENTS if implicit else EXPLICIT_ELEMENTS)
    walk.feed(data)
    walk.end()


@dataclass
class _Asker:
    """An association that has asked for storage commitment, and what it answered to a report."""

    context: int
    implicit: bool
    answers: queue.SimpleQueue[int | None] = field(default_factory=queue.SimpleQueue)
    one: threading.Lock = field(default_factory=threading.Lock)
    """One report at a time: the next is asked when the one before is answered (PS3.7 D.3.3.3)."""


class Desk:
    """One for the whole edge; any thread may ask."""

    def __init__(self, associations: Associations, journal: CommitmentJournal, patience: float) -> None:
        self._associations = associations
        self._journal = journal
        self._patience = patience
        self._lock = threading.Lock()
        self._askers: dict[int, _Asker] = {}
        self._messages = 0
        self._parsers = ThreadPoolExecutor(PARSERS, thread_name_prefix="commitment request")

    def admit(self, connection: int, applicant: Applicant) -> Admission | Rejection:
        """Whether an association is welcome."""
        return self._associations.admit(connection, applicant)

    def left(self, connection: int, *, aborted: bool, reason: str) -> None:
        """A connection is over."""
        self._associations.left(connection, aborted=aborted, reason=reason)
        with self._lock:
            asker = self._askers.pop(connection, None)
        if asker is not None:
            asker.answers.put(None)

    def act(self, connection: int, action: Action) -> int:
        """N-ACTION: a storage commitment request is answered 0x0000 when it is on the disk."""
        visitor = self._associations.of(action.association)
        if visitor is None or visitor.row is None:
            return PROCESSING_FAILURE
        row, implicit = visitor.row, action.transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN
        try:
            _check_whole(action.data, implicit=implicit)
            information = decode(io.BytesIO(action.data), implicit, True)
            request = parse_request(action.action_type, action.sop_instance_uid, information)
            with self._lock:
                self._askers.setdefault(connection, _Asker(action.context, implicit))
            self._journal.request_commitment(request, row)
        except CommitmentRequestError as error:
            logs.warning("storage commitment refused", reason=str(error), calling_ae=row.calling_ae)
            return error.status
        except JournalError:
            return PROCESSING_FAILURE
        except UNREADABLE as error:
            logs.warning(
                "storage commitment refused",
                reason=f"the request cannot be read: {type(error).__name__}",
                calling_ae=row.calling_ae,
            )
            return INVALID_ARGUMENT
        logs.info(
            "storage commitment requested",
            transaction_uid=request.transaction_uid,
            instances=len(request.references),
            calling_ae=row.calling_ae,
        )
        return 0x0000

    def act_later(self, connection: int, action: Action, answer: Callable[[int], None]) -> None:
        """The same, in another thread."""

        def run() -> None:
            status = PROCESSING_FAILURE
            try:
                status = self.act(connection, action)
            finally:
                answer(status)

        self._parsers.submit(run)

    def delayed(self, connection: int) -> None:
        """An answer to this connection waits."""
        self._associations.delayed(connection)

    def reported(self, connection: int, status: int | None) -> None:
        """How a report was answered; None: it was not sent."""
        with self._lock:
            asker = self._askers.get(connection)
        if asker is not None:
            asker.answers.put(status)

    def report(self, association: str, event_type: int, information: Dataset) -> bool | None:
        """A storage commitment report on the association that asked; None: it is over."""
        visitor = self._associations.of(association)
        with self._lock:
            asker = self._askers.get(visitor.number) if visitor is not None else None
            self._messages = self._messages % 0xFFFF + 1
            message_id = self._messages
        if visitor is None or visitor.served is None or asker is None:
            return None
        data = encode(information, asker.implicit, True)
        command = commands.event_report(message_id, SOP_CLASS, SOP_INSTANCE, event_type)
        if data is None:
            return None
        with asker.one:
            if not visitor.served.report(Report(asker.context, command, data)):
                return None
            try:
                status = asker.answers.get(timeout=self._patience + HURRY_SECONDS)
            except queue.Empty:
                return False
        return None if status is None else status == 0x0000

    def close(self) -> None:
        """No more requests."""
        self._parsers.shutdown(wait=False, cancel_futures=True)
