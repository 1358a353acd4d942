"""The association without a network: what it makes of the bytes of a conversation, whole and cut anywhere."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, P_DATA_TF

from edge_component.dimse import negotiation
from edge_component.dimse.association import Association
from edge_component.dimse.codec import Identity
from edge_component.dimse.events import (
    Aborted,
    AssociationRequested,
    Broken,
    ConnectionLost,
    DataReceived,
    MessageReceived,
    NeedData,
    ReleaseRequested,
    StoreEnded,
    StoreStarted,
)
from edge_component.dimse.limits import Limits
from tests.support.edge.network.wire import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    associate_rq,
    echo_command,
    fragment,
    pdu,
    store_command,
)

HEAD = 6
A_ASSOCIATE_AC_TYPE = 2
MAX_PDU_BYTES = 128 * 1024
UID_A, UID_B = "1.2.826.0.1.1", "2.25.7"
IDENTITY = Identity("1.2.3", "TEST")
PDUS = {1: A_ASSOCIATE_RQ, 2: A_ASSOCIATE_AC, 3: A_ASSOCIATE_RJ, 4: P_DATA_TF, 6: A_RELEASE_RP, 7: A_ABORT_RQ}


@dataclass
class Transcript:
    """What happened, in order; `sent` is what the peer gets."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    sent: bytes = b""
    broken: str | None = None

    def add(self, kind: str, *facts: Any) -> None:
        """An event; pieces of one data set are joined."""
        if kind == "data" and self.events and self.events[-1][0] == "data":
            facts = (self.events.pop()[1] + facts[0],)
        self.events.append((kind, *facts))


class Played:
    """An association that is driven as a reader drives it, by bytes that are given to it."""

    def __init__(self, limits: Limits | None = None, *, behind: bool = False) -> None:
        """`behind`: bytes are read behind those that came before, as long as there is room."""
        self._behind = behind
        self.association = Association(limits or Limits(), IDENTITY, 0.0)
        self.transcript = Transcript()

    def give(self, data: bytes, now: float = 0.0) -> None:
        """Bytes of the peer, in as many reads as there is room."""
        while data and not self.association.ended:
            space = self.association.space_behind() if self._behind else None
            if space is None:
                space = self.association.space()
            count = min(len(space), len(data))
            space[:count] = data[:count]
            data = data[count:]
            self.association.received(count, now)
            self.listen(now)

    def close(self) -> None:
        """The peer sends no more."""
        self.association.closed()
        self.listen()

    def listen(self, now: float = 0.0) -> None:
        """Until nothing more can be said."""
        while not isinstance(event := self.association.next_event(), NeedData):
            self._happened(event, now)
            if isinstance(event, Broken | ReleaseRequested | Aborted | ConnectionLost):
                break
        self.transcript.sent += self.association.data_to_send()

    def _happened(self, event: object, now: float) -> None:
        note, association = self.transcript.add, self.association
        match event:
            case AssociationRequested():
                note("requested", event.called, event.calling, event.contexts, event.findings)
                contexts = negotiation.answer_contexts(event.contexts, "as_proposed")
                association.accept(contexts, negotiation.answer_roles(event.roles), now)
            case StoreStarted():
                note("store", event.context, event.command)
            case DataReceived():
                note("data", bytes(event.data))
            case StoreEnded():
                note("stored")
                association.answer(0)
            case MessageReceived():
                note("message", event.context, event.command, event.data)
                if event.command.field & 0x8000 == 0 and event.command.number(0x0110) is not None:
                    association.respond(event.context, event.command, 0)
            case Broken():
                self.transcript.broken = event.reason
                note("broken", event.reason)
            case _:
                note(type(event).__name__)


def played(stream: bytes, cuts: list[int] | None = None, *, behind: bool = False) -> Transcript:
    """What a conversation is, cut at these places."""
    peer, at = Played(behind=behind), 0
    for cut in [*sorted(cuts or ()), len(stream)]:
        if not peer.association.ended:
            peer.give(stream[at:cut])
        at = cut
    if not peer.association.ended:
        peer.close()
    return peer.transcript


CONTEXTS = ((1, CT, [EXPLICIT]), (3, VERIFICATION, [IMPLICIT]), (5, "1.2.840.10008.1.20.1", [IMPLICIT]))
RELEASE = pdu(5, bytes(4))


def seeds() -> list[bytes]:
    """Conversations as senders have them, from the first byte to the release."""
    data = struct.pack("<HH2sH", 8, 0x18, b"UI", len(UID_A) + 1) + UID_A.encode() + b"\0" + bytes(40)
    command = fragment(1, store_command(CT, UID_A), command=True, last=True)
    whole = command + fragment(1, data, command=False, last=True)
    pieces = [data[at : at + 16] for at in range(0, len(data), 16)]
    many = command + b"".join(fragment(1, piece, command=False, last=piece is pieces[-1]) for piece in pieces)
    body = command[HEAD:] + fragment(1, data, command=False, last=True)[HEAD:]
    together = struct.pack(">BxL", 4, len(body)) + body
    split = store_command(CT, UID_B)
    halves = fragment(1, split[:40], command=True, last=False)
    halves += fragment(1, split[40:], command=True, last=True)
    echo = fragment(3, echo_command(), command=True, last=True)
    odd = fragment(1, store_command(VERIFICATION, "not a uid"), command=True, last=True)
    tail = fragment(1, data, command=False, last=True)
    messages = [whole, many, together, halves + tail, whole + echo + whole, odd + tail, echo, whole * 3]
    return [associate_rq(CONTEXTS) + message + RELEASE for message in messages]


def mutated(seed: bytes, random_: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled, or lengths made wrong."""
    stream = bytearray(seed)
    for _ in range(random_.randint(1, 4)):
        if not stream:
            break
        at = random_.randrange(len(stream))
        span = random_.randint(1, 24)
        match random_.randrange(5):
            case 0:
                stream[at] = random_.randrange(256)
            case 1:
                del stream[at : at + span]
            case 2:
                stream[at:at] = stream[at : at + span]
            case 3:
                stream[at] ^= 1 << random_.randrange(8)
            case _:
                stream[at : at + span] = random_.randbytes(span)
    return bytes(stream)


def fault(stream: bytes, random_: random.Random) -> str | None:
    """What is wrong with how a conversation is taken, by rules that hold for any bytes; None: nothing.

    Nothing is raised. Whole and cut anywhere are the same. What is sent is well-formed to pynetdicom, too. A
    command that was taken is the one that pynetdicom reads.
    """
    whole = played(stream)
    cuts = sorted(random_.randrange(len(stream) + 1) for _ in range(random_.randint(1, 8)))
    if (parts := played(stream, cuts, behind=random_.random() < 0.5)) != whole:
        return f"cut at {cuts} {parts} is not {whole} for {stream.hex()}"
    if wrong := malformed(whole.sent):
        return f"{wrong} is sent for {stream.hex()}"
    for event in whole.events:
        if event[0] in ("store", "message") and (wrong := misread(event[2])):
            return f"{wrong} in {stream.hex()}"
    return None


def malformed(sent: bytes) -> str | None:
    """What pynetdicom cannot read of what is sent."""
    at = 0
    while at < len(sent):
        length = int.from_bytes(sent[at + 2 : at + HEAD], "big")
        end = at + HEAD + length
        if end > len(sent) or sent[at] not in PDUS:
            return f"{sent[at:].hex()}, no PDU,"
        try:
            PDUS[sent[at]]().decode(_plain_titles(sent[at:end]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not well-formed
            return f"{sent[at:end].hex()} ({type(error).__name__})"
        at = end
    return None


def _plain_titles(sent: bytes) -> bytes:
    """AE titles of any bytes are echoed (PS3.8 9.3.3); pynetdicom reads only ASCII."""
    return sent[:10] + b"TITLE".ljust(32) + sent[42:] if sent[0] == A_ASSOCIATE_AC_TYPE else sent


def misread(command: Any) -> str | None:
    """Where pynetdicom reads another command set."""
    encoded = b"".join(
        struct.pack("<HHL", 0, number, len(value)) + value
        for number, value in sorted(command.elements.items())
    )
    try:
        theirs = decode(BytesIO(encoded), True, True)
        field_ = theirs.CommandField
    except Exception:  # noqa: BLE001 - it refuses more; what it takes counts
        return None
    return None if field_ == command.field else f"command field {command.field} and not {field_}"
