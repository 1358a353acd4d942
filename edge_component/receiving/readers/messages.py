"""What the edge and its readers say to each other."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from edge_component.dimse.stream import HandBack
from edge_component.journal.rows import AssociationRow

LEND, ROOM = b"L", b"W"
"""From the edge: a connection; whether there is room."""
ARRIVED, SEALED, REFUSED, BACK, READY, BEAT = b"I", b"F", b"R", b"B", b"S", b"A"
"""From a reader: receipts; a sealed segment; a failure status; a connection given back; its run's name; that
it is alive."""

_LENGTH = struct.Struct("<L")


@dataclass(frozen=True)
class ReaderSettings:
    """What a reader needs of the edge's settings; without the model that reads them, which takes memory."""

    spool: str
    max_pdu_bytes: int
    network_timeout: float
    lock_timeout: float
    log_format: str
    log_level: str

    def encode(self) -> str:
        """One line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, line: str) -> ReaderSettings:
        """What `encode` made."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Loan:
    """An association whose connection is lent. `contexts`: transfer syntax by presentation context."""

    loan: int
    sender: AssociationRow
    contexts: dict[int, str]

    def encode(self) -> bytes:
        """For the channel."""
        return json.dumps([self.loan, self.sender._asdict(), list(self.contexts.items())]).encode()

    @classmethod
    def decode(cls, body: bytes) -> Loan:
        """What `encode` made."""
        loan, sender, contexts = json.loads(body)
        return cls(loan, AssociationRow(**sender), dict(contexts))


def encode_arrived(receipts: list[bytes]) -> bytes:
    """For the channel."""
    return b"".join([_LENGTH.pack(len(receipt)) + receipt for receipt in receipts])


def decode_arrived(body: bytes) -> Iterator[bytes]:
    """What `encode_arrived` made."""
    at = 0
    while at < len(body):
        [length] = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size + length
        yield body[at - length : at]


def encode_back(loan: int, back: HandBack) -> bytes:
    """For the channel."""
    return json.dumps([loan, back.gone, back.wrong]).encode() + b"\n" + back.pdu


def decode_back(body: bytes) -> tuple[int, HandBack]:
    """What `encode_back` made."""
    head, _, pdu = body.partition(b"\n")
    loan, gone, wrong = json.loads(head)
    return loan, HandBack(pdu, gone, wrong)


def encode_refused(code: int, calling_ae: str, reason: str) -> bytes:
    """For the channel."""
    return json.dumps([code, calling_ae, reason]).encode()


def decode_refused(body: bytes) -> tuple[int, str, str]:
    """What `encode_refused` made."""
    code, calling_ae, reason = json.loads(body)
    return code, calling_ae, reason


def encode_sealed(segment: str, records: int) -> bytes:
    """For the channel."""
    return json.dumps([segment, records]).encode()


def decode_sealed(body: bytes) -> tuple[str, int]:
    """What `encode_sealed` made."""
    segment, records = json.loads(body)
    return segment, records


def encode_room(refusal: str | None, slow_down_seconds: float) -> bytes:
    """For the channel."""
    return json.dumps([refusal, slow_down_seconds]).encode()


def decode_room(body: bytes) -> tuple[str | None, float]:
    """What `encode_room` made."""
    refusal, slow_down = json.loads(body)
    return refusal, slow_down
