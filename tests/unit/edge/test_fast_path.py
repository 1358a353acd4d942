"""The fast path does what pynetdicom does, to the byte, and nothing else."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from edge_component.dimse import stream
from edge_component.dimse.fast import ESTABLISHED, PYNETDICOM, FastDimse, FastUpperLayer
from edge_component.dimse.statuses import SUCCESS, Status, cannot_understand, out_of_resources
from edge_component.dimse.stream import StoreRequest, store_request, store_response
from edge_component.journal.rows import AssociationRow
from edge_component.receiving.associations import Associations
from edge_component.receiving.receiver import Receiver
from edge_component.receiving.store import Store, StoreCommand
from tests.support.edge_dicom import send, series_of
from tests.support.edge_paths import disagreement, fast, mutated, seeds, slow
from tests.support.edge_stand_ins import settings
from tests.support.edge_wire import CT, echo_command, store_command

STREAMS = 3000


class NoJournal:
    """Associations need one."""

    def heard(self, calling_ae: str) -> None:
        """Forgotten."""

    def close_association(self, association: str, *, aborted: bool) -> None:
        """Forgotten."""


class NoReaders:
    """Everything is read in the edge's own process."""

    def lend(self, *_: object) -> None:
        """Nobody is there."""


class ThreadsOfAStore:
    """Which threads began and finished each reception."""

    def __init__(self) -> None:
        self.threads: list[list[int]] = []

    def begin(self, _sender: AssociationRow, _command: StoreCommand) -> ThreadsOfAStore:
        self.threads.append([threading.get_ident()])
        return self

    def write(self, data: memoryview) -> None:
        """Swallowed."""

    def finish(self) -> Status:
        self.threads[-1].append(threading.get_ident())
        return SUCCESS

    def settle(self) -> None:
        """Nothing is left to do."""

    def abandon(self) -> None:
        """Swallowed."""


@pytest.mark.parametrize("status", [SUCCESS, out_of_resources("full"), cannot_understand("x" * 80)])
@pytest.mark.parametrize("sop", ["1.2.3", "1.2.34"])
def test_the_answer_is_pynetdicoms_to_the_byte(status: Status, sop: str) -> None:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = 7
    answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = CT, sop
    answer.Status = status.code
    if not status.stored:
        answer.ErrorComment = status.short_comment
    message = C_STORE_RSP()
    message.primitive_to_message(answer)
    (fragment,) = list(message.encode_msg(3, 16384))
    pdu = P_DATA_TF()
    pdu.from_primitive(fragment)
    assert store_response(StoreRequest(3, 7, CT.encode(), sop.encode()), status) == pdu.encode()


def test_a_plain_command_is_understood() -> None:
    found = store_request(5, store_command(CT, "1.2.3", message_id=9))
    assert found is not None
    assert found == StoreRequest(5, 9, CT.encode(), b"1.2.3")


@pytest.mark.parametrize(
    "command",
    [echo_command(), store_command(CT, "1.2.x"), store_command(CT, ""), store_command(CT, "1.2")[:-1], b""],
    ids=["C-ECHO", "letters in a UID", "no UID", "cut off", "empty"],
)
def test_anything_else_is_left_to_pynetdicom(command: bytes) -> None:
    assert store_request(1, command) is None


@pytest.mark.parametrize("stream", seeds())
def test_streams_of_well_behaved_senders_are_taken_alike(stream: bytes) -> None:
    assert fast(stream) == slow(stream)
    assert not fast(stream).broken


@pytest.mark.filterwarnings("ignore:VR lookup failed:UserWarning")
def test_mutated_streams_are_never_taken_otherwise_than_by_pynetdicom() -> None:
    random_, corpus = random.Random(20261122), seeds()
    found = [disagreement(mutated(random_.choice(corpus), random_)) for _ in range(STREAMS)]
    assert [words for words in found if words] == []


@pytest.mark.parametrize("pushed", [True, False])
def test_no_stream_begins_while_something_that_was_handed_back_waits(pushed: bool) -> None:
    """It would read what comes behind that first."""
    layer = SimpleNamespace(
        state_machine=SimpleNamespace(current_state=ESTABLISHED),
        socket=SimpleNamespace(pushed=pushed, next_type=lambda: stream.P_DATA_TF),
        assoc=SimpleNamespace(requestor=SimpleNamespace(implementation_class_uid="1.2")),
    )
    dimse = SimpleNamespace(between_messages=True)
    assert FastUpperLayer._may_stream(cast("FastUpperLayer", layer), cast("FastDimse", dimse)) is not pushed


@pytest.mark.parametrize("path", ["fast", "pynetdicom"])
@pytest.mark.parametrize("peer", ["1.2.276.0.7230010.3.0.3.6.7", f"{PYNETDICOM}3.0.4"])
def test_who_reads_an_association(tmp_path: Path, path: str, peer: str) -> None:
    """A setting says so; senders that lose quick answers are served by pynetdicom in any case."""
    chosen = settings(tmp_path, receiver=path, bind="127.0.0.1", dicom_port=0)
    store = ThreadsOfAStore()
    associations = Associations(chosen, NoJournal())
    receiver = Receiver(chosen, cast("Store", store), associations, NoReaders())
    receiver.listen()
    try:
        statuses = send(receiver.ports["dicom_port"], series_of(2), implementation_class_uid=peer)
        assert statuses == [0x0000, 0x0000]
    finally:
        receiver.close()
    in_the_reading_thread = [began == ended for began, ended in store.threads]
    assert in_the_reading_thread == [path == "fast" and not peer.startswith(PYNETDICOM)] * 2
