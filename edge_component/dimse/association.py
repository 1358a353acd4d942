"""One association as its acceptor sees it: bytes in, events out; no socket, no clock, no thread.

The driver reads into `space()`, says so with `received`, and calls `next_event` until it hears NEED_DATA.
What is to be sent is in `data_to_send`. `deadline` says when the driver must call `time_passed`.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_component.dimse import codec, commands
from edge_component.dimse.codec import PDV_HEAD, AnsweredContext, Identity
from edge_component.dimse.commands import Command
from edge_component.dimse.errors import (
    NOT_SPECIFIED,
    SERVICE_PROVIDER,
    SERVICE_USER,
    UNEXPECTED_PDU,
    UNRECOGNIZED_PDU,
    RejectError,
    RemoteError,
)
from edge_component.dimse.events import (
    NEED_DATA,
    WAITING,
    Aborted,
    AcceptedContext,
    AssociationRequested,
    Broken,
    ConnectionLost,
    Event,
    ReleaseRequested,
    RoleSelection,
)
from edge_component.dimse.incoming import Incoming
from edge_component.dimse.limits import PDU_HEAD, Limits
from edge_component.dimse.messages import Messages
from edge_component.dimse.states import (
    A_ABORT,
    A_ASSOCIATE_RQ,
    A_RELEASE_RQ,
    NEXT,
    P_DATA_TF,
    State,
)

RELEASE_REQUESTED = ReleaseRequested()
_ENDED = (State.RELEASING, State.CLOSING, State.CLOSED)


class Association:
    """Answers what PS3.8 answers by itself; asks the driver for everything else."""

    def __init__(self, limits: Limits, identity: Identity, now: float) -> None:
        self.state = State.AWAITING_REQUEST
        self.fragments = 0
        """PDUs and presentation data values so far: what they cost does not depend on their length."""
        self.deadline = now + limits.request_seconds
        self._limits = limits
        self._longest_data = limits.longest_data
        self._identity = identity
        self._incoming = Incoming()
        self._outgoing: list[bytes] = []
        self._request: AssociationRequested | None = None
        self._lost = False
        self._body = memoryview(b"")
        self._at = 0
        """P-DATA-TF that is looked at, and how far."""
        self._messages = Messages(limits)
        self._late = False

    # What the driver reads

    @property
    def contexts(self) -> dict[int, AcceptedContext]:
        """Presentation contexts that were agreed on, by their number."""
        return self._messages.contexts

    def space(self) -> memoryview:
        """Where the next bytes of the connection go: over the data of the events before."""
        return self._incoming.space()

    def space_behind(self) -> memoryview | None:
        """Where they go behind that data, which stays valid; None: there is no room for them."""
        return self._incoming.space_behind()

    def move_to(self, buffer: memoryview) -> memoryview | None:
        """Read into this buffer from now on; returns the one before. None: it is too small for what came."""
        return self._incoming.move_to(buffer)

    @property
    def missing(self) -> int:
        """How many bytes complete the next PDU, where that is known; else 0."""
        head = self._incoming.head()
        return max(0, head[1] + PDU_HEAD - self._incoming.held) if head else 0

    @property
    def between_messages(self) -> bool:
        """Nothing has begun that is not answered."""
        return (
            self.state is State.ESTABLISHED
            and self._messages.idle
            and not self._incoming.held
            and self._at >= len(self._body)
        )

    @property
    def gathered(self) -> int:
        """Bytes of memory that a peer has filled with what is not whole yet, a C-STORE apart."""
        held = self._messages.gathered
        return held if self.contexts else held + self._incoming.grown

    @property
    def ended(self) -> bool:
        """Nothing that comes matters any more."""
        return self.state in _ENDED

    def received(self, count: int, now: float) -> None:
        """So many bytes were read into `space()`; they are too late where `deadline` has passed."""
        self._incoming.filled(count)
        if now >= self.deadline:
            self.time_passed(now)
        elif self.state is State.ESTABLISHED and not self.missing:  # the end of a PDU: the peer is alive
            self.deadline = now + self._limits.idle_seconds

    def closed(self) -> None:
        """The peer sends no more."""
        self._lost = True

    def time_passed(self, now: float) -> None:
        """It is so late now; the next event says whether it is too late."""
        if now >= self.deadline and self.state not in _ENDED:
            self._late = True

    # What the driver says

    def accept(self, answers: Sequence[AnsweredContext], roles: Sequence[RoleSelection], now: float) -> None:
        """Answer the request: the association is established."""
        assert self._request is not None  # noqa: S101 - it was asked for
        proposed = {context.number: context for context in self._request.contexts}
        self._messages.contexts = {
            answer.number: AcceptedContext(
                answer.number, proposed[answer.number].abstract_syntax, answer.transfer_syntax
            )
            for answer in answers
            if answer.result == codec.ACCEPTED
        }
        self._outgoing.append(
            codec.accept(self._request, answers, roles, self._limits.max_pdu, self._identity)
        )
        self._incoming.reserve(self._limits.longest_data)
        self.state = State.ESTABLISHED
        self.deadline = now + self._limits.idle_seconds

    def reject(self, result: int, source: int, diagnostic: int) -> None:
        """Answer the request: there will be no association."""
        self._outgoing.append(codec.reject(result, source, diagnostic))
        self.state = State.CLOSING

    def answer(self, status: int, comment: str = "") -> None:
        """Answer the C-STORE that has ended."""
        messages = self._messages
        assert messages.to_answer is not None  # noqa: S101 - it has ended
        (context, command), messages.to_answer = messages.to_answer, None
        self.respond(context, command, status, comment)

    def respond(self, context: AcceptedContext, command: Command, status: int, comment: str = "") -> None:
        """Answer any other request."""
        self._outgoing.append(codec.command(context.number, commands.response(command, status, comment)))

    def report(self, context: AcceptedContext, encoded_command: bytes, encoded_data: bytes) -> None:
        """Ask something of the peer."""
        self._outgoing.append(codec.command(context.number, encoded_command))
        peer_max = self._request.max_pdu if self._request is not None else 0
        self._outgoing += codec.data_set(context.number, encoded_data, peer_max)

    def abort(self, source: int = SERVICE_USER, reason: int = NOT_SPECIFIED) -> None:
        """End it; the A-ABORT is in `data_to_send`."""
        if self.state not in _ENDED:
            self._outgoing.append(codec.abort(source, reason))
            self.state = State.CLOSING

    def data_to_send(self) -> bytes:
        """What the peer is to get now."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    # What has happened

    def next_event(self) -> Event:
        """What came next; NEED_DATA: nothing before more bytes are there."""
        try:
            return self._next()
        except RemoteError as error:
            self.abort(error.source, error.reason)
            return Broken(str(error))
        except RejectError as error:
            self.reject(error.result, error.source, error.diagnostic)
            return Broken(str(error))

    def _next(self) -> Event:
        if self._late:
            self._late = False
            raise RemoteError(f"silent for too long in state {self.state.value}", NOT_SPECIFIED)
        while True:
            if self._messages.pending is not None:
                ready, self._messages.pending = self._messages.pending, None
                return ready
            event: Event | None
            if self._at < len(self._body):
                event = self._data_value()
            elif self.state is State.DECIDING:
                return WAITING
            elif self.state in _ENDED or (pdu := self._pdu()) is None:
                return self._ended() if self._lost else NEED_DATA
            else:
                event = self._took(*pdu)
            if event is not None:
                return event

    def _ended(self) -> Event:
        self.state = State.CLOSED
        return ConnectionLost()

    def _pdu(self) -> tuple[int, memoryview] | None:
        head = self._incoming.head()
        if head is None:
            return None
        kind, length = head
        if kind == P_DATA_TF and self.state is State.ESTABLISHED and length <= self._longest_data:
            body = self._incoming.pdu(length)  # most are
            return None if body is None else (kind, body)
        if not A_ASSOCIATE_RQ <= kind <= A_ABORT:
            raise RemoteError(f"a PDU of type 0x{kind:02X}", UNRECOGNIZED_PDU)
        if (self.state, kind) not in NEXT:
            raise RemoteError(f"a PDU of type 0x{kind:02X} in state {self.state.value}", UNEXPECTED_PDU)
        if length > (allowed := self._longest(kind)):
            raise RemoteError(f"a PDU of {length} bytes, {allowed} are allowed")
        body = self._incoming.pdu(length)
        return None if body is None else (kind, body)

    def _longest(self, kind: int) -> int:
        if kind == P_DATA_TF:
            return self._limits.longest_data
        return self._limits.associate_bytes if kind == A_ASSOCIATE_RQ else self._limits.other_pdu_bytes

    def _took(self, kind: int, body: memoryview) -> Event | None:
        self.fragments += 1
        if kind == P_DATA_TF:
            self._body, self._at = body, 0
            return None
        self.state = NEXT[self.state, kind]
        if kind == A_ASSOCIATE_RQ:
            self._request = codec.decode_request(body)
            return self._request
        if kind == A_RELEASE_RQ:
            self._outgoing.append(codec.release())
            self.state = State.CLOSING
            return RELEASE_REQUESTED
        source, reason = (body[2], body[3]) if len(body) >= 4 else (SERVICE_PROVIDER, NOT_SPECIFIED)
        return Aborted(source, reason)

    def _data_value(self) -> Event | None:
        body, at = self._body, self._at
        end, number, control = codec.pdv_head(body, at)
        self._at = end
        self.fragments += 1
        return self._messages.fragment(number, control, body[at + PDV_HEAD : end])
