"""What an association tells its driver, one event at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_component.dimse.commands import Command


@dataclass(frozen=True)
class ProposedContext:
    """A presentation context of an A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class RoleSelection:
    """PS3.7 D.3.3.4."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True)
class AssociationRequested:
    """An A-ASSOCIATE-RQ. The association waits for `accept` or `reject`.

    `findings`: what is not as PS3.8 wants it, and does not matter.
    """

    called: bytes
    calling: bytes
    contexts: tuple[ProposedContext, ...]
    max_pdu: int
    """0: the peer takes any length."""
    implementation_class_uid: str
    roles: tuple[RoleSelection, ...] = ()
    findings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class AcceptedContext:
    """A presentation context that was agreed on."""

    number: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True)
class StoreStarted:
    """A C-STORE-RQ; its data set follows."""

    context: AcceptedContext
    command: Command


@dataclass(frozen=True)
class DataReceived:
    """A fragment of the data set of a C-STORE. The view is valid until the next `space`."""

    data: memoryview


@dataclass(frozen=True)
class StoreEnded:
    """The data set is complete: `answer` is expected."""


@dataclass(frozen=True)
class MessageReceived:
    """Any other message, whole."""

    context: AcceptedContext
    command: Command
    data: bytes


@dataclass(frozen=True)
class ReleaseRequested:
    """A-RELEASE-RQ; its answer is in `data_to_send`."""


@dataclass(frozen=True)
class Aborted:
    """A-ABORT by the peer."""

    source: int
    reason: int


@dataclass(frozen=True)
class Broken:
    """The peer broke the protocol, or said nothing for too long; the A-ABORT is in `data_to_send`."""

    reason: str


@dataclass(frozen=True)
class ConnectionLost:
    """The peer closed the connection without a word."""


@dataclass(frozen=True)
class NeedData:
    """Nothing more can be said before more bytes have come."""


@dataclass(frozen=True)
class Waiting:
    """The association request is not answered yet."""


NEED_DATA = NeedData()
WAITING = Waiting()
Event = (
    AssociationRequested
    | StoreStarted
    | DataReceived
    | StoreEnded
    | MessageReceived
    | ReleaseRequested
    | Aborted
    | Broken
    | ConnectionLost
    | NeedData
    | Waiting
)
