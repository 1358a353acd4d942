"""An association without a network: which bytes make which events and answers, in which state, how late."""

from __future__ import annotations

import ast
import random
import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dimse_messages import C_ECHO_RSP, C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import build_context

import edge_component
from edge_component.dimse import commands
from edge_component.dimse.association import Association
from edge_component.dimse.codec import Identity
from edge_component.dimse.events import DataReceived
from edge_component.dimse.limits import Limits
from edge_component.dimse.states import State
from tests.support.edge.network.wire import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    associate_rq,
    echo_command,
    element,
    fragment,
    item,
    pdu,
    store_command,
)
from tests.support.edge.paths import CONTEXTS, Played, fault, mutated, played, seeds

STREAMS = 2000
REQUEST = associate_rq(CONTEXTS)
STORE = fragment(1, store_command(CT, "1.2.3"), command=True, last=True)
DATA = fragment(1, b"12345678", command=False, last=True)
RELEASE, ABORT = pdu(5, bytes(4)), pdu(7, bytes((0, 0, 0, 0)))
INVALID, UNEXPECTED, UNRECOGNIZED = bytes((0, 0, 2, 6)), bytes((0, 0, 2, 2)), bytes((0, 0, 2, 1))
BY_THE_USER = bytes((0, 0, 0, 0))


def answers(sent: bytes) -> list[tuple[int, bytes]]:
    """PDUs by type."""
    found, at = [], 0
    while at < len(sent):
        end = at + 6 + int.from_bytes(sent[at + 2 : at + 6], "big")
        found.append((sent[at], sent[at + 6 : end]))
        at = end
    return found


def unfinished(contexts: bytes, application: str = "1.2.840.10008.3.1.1.1", version: int = 1) -> bytes:
    """An A-ASSOCIATE-RQ around presentation contexts that are made by hand."""
    body = struct.pack(">HH16s16s32x", version, 0, b"EDGE".ljust(16), b"PEER".ljust(16))
    return pdu(1, body + item(0x10, application.encode()) + contexts + item(0x50, item(0x51, bytes(4))))


def context(*items: bytes, number: int = 1) -> bytes:
    return item(0x20, bytes((number, 0, 0, 0)) + b"".join(items))


ABSTRACT, TRANSFER = item(0x30, CT.encode()), item(0x40, EXPLICIT.encode())


@pytest.mark.parametrize(
    ("stream", "events", "last"),
    [
        (REQUEST, ["requested", "ConnectionLost"], None),
        (REQUEST + RELEASE, ["requested", "ReleaseRequested"], (6, bytes(4))),
        (REQUEST + ABORT, ["requested", "Aborted"], None),
        (ABORT, ["Aborted"], None),
        (
            REQUEST + STORE + DATA + RELEASE,
            ["requested", "store", "data", "stored", "ReleaseRequested"],
            None,
        ),
        (REQUEST + STORE + ABORT, ["requested", "store", "Aborted"], None),
        (REQUEST + STORE + RELEASE, ["requested", "store", "ReleaseRequested"], (6, bytes(4))),
        (RELEASE, ["broken"], (7, UNEXPECTED)),
        (STORE, ["broken"], (7, UNEXPECTED)),
        (REQUEST + REQUEST, ["requested", "broken"], (7, UNEXPECTED)),
        (REQUEST + pdu(6, bytes(4)), ["requested", "broken"], (7, UNEXPECTED)),
        (pdu(9, bytes(4)), ["broken"], (7, UNRECOGNIZED)),
        (REQUEST + pdu(0, bytes(4)), ["requested", "broken"], (7, UNRECOGNIZED)),
        (REQUEST + struct.pack(">BBL", 4, 0, 2**31), ["requested", "broken"], (7, INVALID)),
        (struct.pack(">BBL", 1, 0, 2**31), ["broken"], (7, INVALID)),
        (REQUEST + pdu(5, bytes(5000)), ["requested", "broken"], (7, INVALID)),
        (REQUEST + pdu(4, b"\0\0\0\1"), ["requested", "broken"], (7, INVALID)),
        (REQUEST + pdu(4, struct.pack(">LBB", 500, 1, 3)), ["requested", "broken"], (7, INVALID)),
        (REQUEST + pdu(4, b""), ["requested", "ConnectionLost"], None),
        (REQUEST + fragment(99, store_command(CT, "1.2"), command=True, last=True), None, (7, INVALID)),
        (REQUEST + DATA, ["requested", "broken"], (7, BY_THE_USER)),
        (REQUEST + STORE + STORE, ["requested", "store", "broken"], (7, BY_THE_USER)),
        (REQUEST + STORE + fragment(3, b"x", command=False, last=True), None, (7, INVALID)),
        (REQUEST + STORE[:-2], ["requested", "ConnectionLost"], None),
    ],
)
def test_what_comes_in_which_state(
    stream: bytes, events: list[str] | None, last: tuple[int, bytes] | None
) -> None:
    """PS3.8 Table 9-10, a row each."""
    found = played(stream)
    if events is not None:
        assert [event[0] for event in found.events] == events
    if last is not None:
        assert answers(found.sent)[-1] == last


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (unfinished(context(ABSTRACT, TRANSFER)), 2),
        (unfinished(context(ABSTRACT, TRANSFER), version=3), 2),
        (unfinished(context(ABSTRACT, TRANSFER), version=2), (3, bytes((0, 1, 2, 2)))),
        (unfinished(context(ABSTRACT, TRANSFER), application="1.2.3"), (3, bytes((0, 1, 1, 2)))),
        (unfinished(context(ABSTRACT)), (7, INVALID)),
        (unfinished(context(TRANSFER)), (7, INVALID)),
        (unfinished(context()), (7, INVALID)),
        (unfinished(b""), (7, INVALID)),
        (unfinished(item(0x20, b"\1")), (7, INVALID)),
        (unfinished(context(ABSTRACT, TRANSFER) + context(ABSTRACT, number=3)), (7, INVALID)),
        (unfinished(context(ABSTRACT, TRANSFER) * 2), (7, INVALID)),
        (unfinished(context(ABSTRACT, TRANSFER, number=2)), (7, INVALID)),
        (unfinished(context(item(0x30, b"1" * 65), TRANSFER)), (7, INVALID)),
        (unfinished(context(ABSTRACT, item(0x40, b"1" * 65), TRANSFER)), 2),
        (unfinished(context(item(0x30, CT.encode() + b"\0"), TRANSFER)), 2),
        (unfinished(context(ABSTRACT, TRANSFER, item(0x77, b"?"))), 2),
        (unfinished(context(ABSTRACT, TRANSFER) + item(0x60, b"?")), 2),
        (unfinished(b"".join(context(ABSTRACT, *[TRANSFER] * 200, number=n) for n in range(1, 256, 2))), 7),
        (pdu(1, bytes(20)), (7, INVALID)),
    ],
)
def test_a_request_is_accepted_unless_no_association_can_be_made_of_it(
    request_: bytes, answer: int | tuple[int, bytes]
) -> None:
    first = answers(played(request_).sent)[0]
    assert (first if isinstance(answer, tuple) else first[0]) == answer


def with_user_items(*items: bytes) -> bytes:
    body = struct.pack(">HH16s16s32x", 1, 0, b"EDGE".ljust(16), b"PEER".ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + context(ABSTRACT, TRANSFER)
    return pdu(1, body + item(0x50, item(0x51, bytes(4)) + b"".join(items)))


@pytest.mark.parametrize(
    "odd",
    [
        item(0x55, b"A_VERSION_NAME_OF_MORE_THAN_SIXTEEN"),
        item(0x55, "Gerät".encode("latin-1")),
        item(0x55, b"NAME\0\0\0"),
        item(0x52, b"1." * 35),
        item(0x5B, b"nobody knows"),
        item(0x54, len(CT).to_bytes(2, "big") + CT.encode() + bytes(2)),
        item(0x54, b"\0"),
        item(0x54, b"\xff\xff1.2\0\0"),
    ],
)
def test_what_is_said_beside_the_point_costs_no_association_and_is_a_finding(odd: bytes) -> None:
    found = played(with_user_items(odd))
    assert answers(found.sent)[0][0] == 2
    assert len(found.events[0][4]) == 1


def test_a_role_is_granted_that_the_edge_can_take() -> None:
    push = "1.2.840.10008.1.20.1"
    roles = [item(0x54, len(uid).to_bytes(2, "big") + uid.encode() + b"\1\1") for uid in (CT, push)]
    body = answers(played(with_user_items(*roles)).sent)[0][1]
    assert len(CT).to_bytes(2, "big") + CT.encode() + b"\1\0" in body
    assert len(push).to_bytes(2, "big") + push.encode() + b"\1\1" in body


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_conversation_is_the_same_wherever_it_is_cut(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(seeds()))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert played(stream, cuts) == played(stream)


@pytest.mark.parametrize("stream", seeds())
def test_a_conversation_that_comes_byte_by_byte(stream: bytes) -> None:
    assert played(stream, list(range(len(stream)))) == played(stream)
    assert played(stream).broken is None


def test_garbage_from_the_first_byte_on_is_refused_and_never_raises() -> None:
    random_, corpus = random.Random(20261122), seeds()
    found = [fault(mutated(random_.choice(corpus), random_), random_) for _ in range(STREAMS)]
    assert [words for words in found if words] == []


def test_random_bytes_are_no_association() -> None:
    random_ = random.Random(7)
    for _ in range(200):
        assert fault(random_.randbytes(random_.randrange(400)), random_) is None


# A pair: pynetdicom encodes what a sender says, and decodes what it hears.


def pynetdicoms_request() -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "SENDER", "EDGE"
    wanted = [build_context(CT, [IMPLICIT, EXPLICIT]), build_context(VERIFICATION, [IMPLICIT])]
    for number, each in enumerate(wanted):
        each.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = wanted
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    primitive.user_information = [length]
    request = A_ASSOCIATE_RQ()
    request.from_primitive(primitive)
    return bytes(request.encode())


def pynetdicoms_messages(message: C_STORE_RQ, context_id: int) -> bytes:
    stream = b""
    for primitive in message.encode_msg(context_id, 100):
        each = P_DATA_TF()
        each.from_primitive(primitive)
        stream += each.encode()
    return stream


def test_pynetdicoms_conversation_is_understood_and_its_answers_are_what_pynetdicom_would_say() -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientComments = CT, "1.2.3", "x" * 400
    content = encode(ds, False, True)
    assert content is not None
    store = C_STORE()
    store.MessageID, store.AffectedSOPClassUID, store.AffectedSOPInstanceUID = 7, CT, "1.2.3"
    store.Priority, store.DataSet = 2, BytesIO(content)
    message = C_STORE_RQ()
    message.primitive_to_message(store)
    found = played(pynetdicoms_request() + pynetdicoms_messages(message, 1) + RELEASE)
    assert [event[0] for event in found.events] == [
        "requested",
        "store",
        "data",
        "stored",
        "ReleaseRequested",
    ]
    assert found.events[2][1] == content
    accepted, stored, released = answers(found.sent)
    theirs = A_ASSOCIATE_AC()
    theirs.decode(pdu(*accepted))
    primitive = theirs.to_primitive()
    assert [
        (each.context_id, each.result) for each in primitive.presentation_context_definition_results_list
    ] == [
        (1, 0),
        (3, 0),
    ]
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo, answer.Status = 7, 0
    answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = CT, "1.2.3"
    expected = C_STORE_RSP()
    expected.primitive_to_message(answer)
    assert pdu(*stored) == encoded(expected, 1)
    assert released == (6, bytes(4))


def encoded(message: C_STORE_RSP | C_ECHO_RSP, context_id: int) -> bytes:
    [primitive] = list(message.encode_msg(context_id, 16384))
    each = P_DATA_TF()
    each.from_primitive(primitive)
    return bytes(each.encode())


def test_an_echo_is_answered_as_pynetdicom_answers() -> None:
    found = played(REQUEST + fragment(3, echo_command(), command=True, last=True))
    answer = C_ECHO()
    answer.MessageIDBeingRespondedTo, answer.Status, answer.AffectedSOPClassUID = 7, 0, VERIFICATION
    expected = C_ECHO_RSP()
    expected.primitive_to_message(answer)
    assert pdu(*answers(found.sent)[1]) == encoded(expected, 3)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (b"\xff" * 50, "cannot be read"),
        (b"", "without a command field"),
        (element(0, 0x0100, b"\1\0")[:-1], "cannot be read"),
        (element(0, 0x0100, b"\1\0") + b"\0", "inside an element"),
        (element(0, 0x0100, b"\1\0"), "without a message id"),
        (element(8, 0x0100, b"\1\0"), "cannot be read"),
    ],
)
def test_a_command_set_that_is_none(command: bytes, reason: str) -> None:
    assert reason in str(played(REQUEST + fragment(1, command, command=True, last=True)).broken)


def test_a_command_in_empty_fragments_has_an_end() -> None:
    stream = fragment(1, b"x", command=True, last=False)
    stream += fragment(1, b"", command=True, last=False) * Limits().command_fragments
    assert "fragments" in str(played(REQUEST + stream).broken)


def test_a_command_of_many_short_fragments_is_joined() -> None:
    command = store_command(CT, "1.2.3")
    pieces = [fragment(1, command[at : at + 1], command=True, last=False) for at in range(len(command))]
    stream = b"".join(pieces) + fragment(1, b"", command=True, last=True) + DATA
    assert [event[0] for event in played(REQUEST + stream).events][:4] == [
        "requested",
        "store",
        "data",
        "stored",
    ]


def test_a_message_beside_a_c_store_has_a_longest_length_and_is_counted_while_it_gathers() -> None:
    peer = Played(Limits(message_bytes=1000))
    action = element(0, 0x0100, struct.pack("<H", 0x0130)) + element(0, 0x0110, b"\1\0")
    peer.give(REQUEST + fragment(5, action, command=True, last=True))
    peer.give(fragment(5, bytes(900), command=False, last=False))
    assert peer.association.gathered == 900
    peer.give(fragment(5, bytes(200), command=False, last=False))
    assert "more than 1000 bytes" in str(peer.transcript.broken)


def test_a_request_fills_memory_only_as_its_bytes_come() -> None:
    peer = Played()
    peer.give(struct.pack(">BBL", 1, 0, 400_000))
    assert peer.association.gathered == 0
    peer.give(bytes(100_000))
    assert 90_000 < peer.association.gathered < 300_000


# Time: numbers, no clock.


def test_the_request_has_one_deadline_whatever_drips_in() -> None:
    peer = Played(Limits(request_seconds=10))
    assert peer.association.deadline == 10
    peer.give(REQUEST[:50], now=9.0)
    assert peer.association.deadline == 10
    peer.give(REQUEST[50:60], now=10.0)
    assert "too long in state Sta2" in str(peer.transcript.broken)
    assert peer.association.state is State.CLOSING


def test_an_association_may_be_silent_for_so_long_and_a_whole_pdu_counts_as_life() -> None:
    peer = Played(Limits(idle_seconds=60))
    peer.give(REQUEST, now=1.0)
    assert peer.association.deadline == 61
    peer.give(STORE, now=50.0)
    assert peer.association.deadline == 110
    peer.give(DATA[:-1], now=100.0)
    assert peer.association.deadline == 110
    peer.association.time_passed(109.0)
    peer.listen()
    assert peer.transcript.broken is None
    peer.association.time_passed(110.0)
    peer.listen()
    assert "Sta6" in str(peer.transcript.broken)
    assert answers(peer.transcript.sent)[-1][0] == 7


def test_a_view_of_a_data_set_is_valid_until_the_next_event() -> None:
    peer = Played()
    peer.give(REQUEST + STORE)
    association: Association = peer.association
    space = association.space()
    space[: len(DATA)] = DATA
    association.received(len(DATA), 0.0)
    event = association.next_event()
    assert isinstance(event, DataReceived)
    assert bytes(event.data) == b"12345678"
    association.next_event()
    for _ in range(2):  # what comes next may be written over it
        space = association.space()
        space[:] = b"\xee" * len(space)
    assert bytes(event.data) == b"\xee" * 8


def test_a_report_is_cut_as_the_peers_largest_pdu_wants() -> None:
    peer = Played()
    peer.give(associate_rq([(5, "1.2.840.10008.1.20.1", [IMPLICIT])]))
    command = commands.event_report(1, "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1", 1)
    peer.association.report(peer.association.contexts[5], command, bytes(40_000))
    sent = answers(peer.association.data_to_send())
    assert [len(body) <= 16384 for _, body in sent] == [True] * 4
    assert sum(len(body) - 6 for _, body in sent[1:]) == 40_000


def test_the_protocol_knows_no_socket_no_clock_and_no_thread() -> None:
    folder = Path(edge_component.__file__).parent / "dimse"
    pure = ("association", "codec", "commands", "errors", "events", "incoming", "limits", "states")
    for name in pure:
        tree = ast.parse((folder / f"{name}.py").read_text())
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"socket", "ssl", "threading", "time", "select", "pynetdicom"}, name


def test_the_identity_is_said() -> None:
    assert Identity("1.2.3", "TEST").implementation_class_uid.encode() in played(REQUEST).sent
