"""What the edge and its readers say to each other."""

from __future__ import annotations

import json
import marshal
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edge_component.dimse.admission import Applicant, Rejection
from edge_component.receiving.pressure import Pressure, Pressures
from edge_component.records.rows import Arrival, AssociationRow, InstanceRow

if TYPE_CHECKING:  # readers do without its model, which takes memory
    from dicom_ingest.contracts.configuration.senders import TransferSyntaxPreference

LEND, ROOM, ADMITTED, ACTED, REPORT, DROP = b"L", b"W", b"A", b"C", b"P", b"D"
"""From the edge: a connection; whether there is room; answers to ADMIT and ACTION; a report; an end."""
ARRIVED, SEALED, REFUSED, READY, ADMIT, ACTION, REPORTED, DELAYED, OVER, BEAT = (
    *(b"I", b"F", b"R", b"S", b"?", b"N", b"Q", b"V", b"O", b"T"),
)
"""From a reader: rows; a sealed segment; a failure status; its run's name; a request for an association;
an N-ACTION; how a report was answered; an answer that waits; a connection that is over; it is alive."""


@dataclass(frozen=True)
class ReaderSettings:
    """What a reader needs of the edge's settings; without the model that reads them, which takes memory."""

    spool: str
    max_pdu_bytes: int
    association_timeout: float
    network_timeout: float
    lock_timeout: float
    disk_reserve_bytes: int
    quarantine_max_bytes: int | None
    tls_certificate: str | None
    tls_key: str | None
    tls_client_ca: str | None
    tls_strict: bool
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
    """A connection of which no byte was read. `connection`: its number at the edge."""

    connection: int
    peer: str
    tls: bool


@dataclass(frozen=True)
class Admission:
    """An association that is welcome. `prefer`, `bulk`: what the sender's profile says."""

    row: AssociationRow
    prefer: TransferSyntaxPreference = "as_proposed"
    bulk: bool = False


@dataclass(frozen=True)
class Action:
    """An N-ACTION-RQ on a storage commitment context (PS3.4 J.3.2); `data`: its encoded data set."""

    association: str
    context: int
    transfer_syntax: str
    action_type: int | None
    sop_instance_uid: str
    data: bytes


@dataclass(frozen=True)
class Report:
    """An N-EVENT-REPORT-RQ for the association that asked, encoded for its presentation context."""

    context: int
    command: bytes
    data: bytes


def encode_loan(loan: Loan) -> bytes:
    """For the channel."""
    return _text(loan.connection, loan.peer, loan.tls)


def decode_loan(body: bytes) -> Loan:
    """What `encode_loan` made."""
    return Loan(*json.loads(body))


def encode_admit(connection: int, applicant: Applicant) -> bytes:
    """For the channel."""
    return _text(connection, applicant.peer, applicant.calling_ae, applicant.called_ae)


def decode_admit(body: bytes) -> tuple[int, Applicant]:
    """What `encode_admit` made."""
    connection, *applicant = json.loads(body)
    return connection, Applicant(*applicant)


def encode_admitted(connection: int, answer: Admission | Rejection) -> bytes:
    """For the channel."""
    if isinstance(answer, Rejection):
        return _text(connection, None, list(asdict(answer).values()))
    return _text(connection, list(answer.row), [answer.prefer, answer.bulk])


def decode_admitted(body: bytes) -> tuple[int, Admission | Rejection]:
    """What `encode_admitted` made."""
    connection, row, other = json.loads(body)
    return connection, Rejection(*other) if row is None else Admission(AssociationRow(*row), *other)


def encode_action(connection: int, action: Action) -> bytes:
    """For the channel."""
    head = _text(
        *(connection, action.association, action.context, action.transfer_syntax),
        *(action.action_type, action.sop_instance_uid),
    )
    return head + b"\n" + action.data


def decode_action(body: bytes) -> tuple[int, Action]:
    """What `encode_action` made."""
    head, _, data = body.partition(b"\n")
    connection, association, context, syntax, action_type, instance = json.loads(head)
    return connection, Action(association, context, syntax, action_type, instance, data)


def encode_report(connection: int, report: Report) -> bytes:
    """For the channel."""
    return _text(connection, report.context, len(report.command)) + b"\n" + report.command + report.data


def decode_report(body: bytes) -> tuple[int, Report]:
    """What `encode_report` made."""
    head, _, rest = body.partition(b"\n")
    connection, context, length = json.loads(head)
    return connection, Report(context, rest[:length], rest[length:])


def encode_pair(first: int, second: Any) -> bytes:
    """For the channel: a connection or a segment, and what is said of it."""
    return _text(first, second)


def decode_pair(body: bytes) -> tuple[Any, Any]:
    """What `encode_pair` made."""
    first, second = json.loads(body)
    return first, second


def encode_arrived(arrivals: list[Arrival]) -> bytes:
    """For the channel. Both ends are processes of one release and one interpreter."""
    return marshal.dumps([(tuple(sender), tuple(row)) for sender, row in arrivals])


def decode_arrived(body: bytes) -> list[Arrival]:
    """What `encode_arrived` made."""
    pairs = marshal.loads(body)  # noqa: S302 - from our own process, over a socket that only it holds
    return [(AssociationRow(*sender), InstanceRow(*row)) for sender, row in pairs]


def encode_refused(code: int, calling_ae: str, reason: str) -> bytes:
    """For the channel."""
    return _text(code, calling_ae, reason)


def decode_refused(body: bytes) -> tuple[int, str, str]:
    """What `encode_refused` made."""
    code, calling_ae, reason = json.loads(body)
    return code, calling_ae, reason


def encode_sealed(segment: str, records: int) -> bytes:
    """For the channel."""
    return _text(segment, records)


def decode_sealed(body: bytes) -> tuple[str, int]:
    """What `encode_sealed` made."""
    segment, records = json.loads(body)
    return segment, records


def encode_room(pressures: Pressures) -> bytes:
    """For the channel."""
    return _text(*(list(asdict(each).values()) for each in (pressures.live, pressures.bulk)))


def decode_room(body: bytes) -> Pressures:
    """What `encode_room` made."""
    return Pressures(*(Pressure(*each) for each in json.loads(body)))


def _text(*values: Any) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()
