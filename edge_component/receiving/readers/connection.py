"""The driver of an association: the only place with a socket. One connection, in a thread of its own.

It does the TLS handshake, the association, C-ECHO and C-STORE; what needs the edge it asks the desk for. An
idle association is a thread that waits in a system call, and costs nothing.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from edge_component.dimse import codec, commands
from edge_component.dimse.admission import Applicant, Rejection, printable_ae
from edge_component.dimse.association import Association
from edge_component.dimse.codec import Identity
from edge_component.dimse.commands import Command
from edge_component.dimse.errors import message_error
from edge_component.dimse.events import (
    Aborted,
    AcceptedContext,
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
from edge_component.dimse.negotiation import (
    STORAGE_COMMITMENT,
    VERIFICATION,
    answer_contexts,
    answer_roles,
)
from edge_component.dimse.statuses import SUCCESS, UNRECOGNIZED_OPERATION, Status, class_not_supported
from edge_component.receiving.readers.messages import Action, Admission, Report
from edge_component.receiving.readers.pace import Memory, Pace, Steps
from edge_component.receiving.store import Reception, Store, StoreCommand
from edge_component.running import logs

LINGER_SECONDS = 1.0
"""After the last word a peer may take so long to close: what it still sends must not make a reset of it."""
LINGER_BYTES = 4 * 1024 * 1024
BYTES_PER_REQUEST_STEP = 16
"""Bytes of a request for an association are worth less: a peer that sends many of them waits between."""
QUIET_SECONDS = 0.1
"""A report waits until the peer has said nothing for so long: it may be about to ask for something itself."""
HURRY_SECONDS = 10.0
"""For so long at most; then the report goes between two messages."""
PYNETDICOM = "1.2.826.0.1.3680043.9.3811."
"""Implementation class UIDs of senders that lose an answer which comes at once.

In pynetdicom 3.0.4 the reactor that should have paused takes it from the queue."""
PYNETDICOM_SECONDS = 0.005
"""Its interpreter changes threads after so long (docs/decisions/0035)."""
_WHOLE = getattr(socket, "MSG_WAITALL", 0)
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)
_TIMES = struct.Struct("ll")


class Desk(Protocol):
    """What a connection asks the edge for."""

    def admit(self, applicant: Applicant, /) -> Admission | Rejection:
        """Whether the association is welcome.

        Raises:
            OSError: the edge is gone.
        """
        ...

    def act(self, action: Action, /) -> int:
        """The status of an N-ACTION.

        Raises:
            OSError: the edge is gone.
        """
        ...

    def reported(self, status: int | None, /) -> None:
        """How the peer answered a report."""
        ...

    def delayed(self) -> None:
        """An answer waits: the spool fills, and the sender is a `bulk` one."""
        ...


@dataclass
class Services:
    """What the connections of a process share."""

    store: Store
    limits: Limits
    identity: Identity
    tls: Callable[[], ssl.SSLContext | None]
    pace: Pace
    memory: Memory
    sleep: Callable[[float], None] = time.sleep
    """Waits before an answer to a `bulk` sender."""


class GoneError(Exception):
    """The connection is over; the message says why."""


class Connection:
    """One of them. `run` returns when it is over."""

    def __init__(self, connection: socket.socket, peer: str, services: Services, desk: Desk) -> None:
        self.admission: Admission | None = None
        self.released = False
        self.ending = ""
        """Why it ended, where it was not released."""
        self._socket = connection
        self._peer = peer
        self._services = services
        self._desk = desk
        self._association = Association(services.limits, services.identity, time.monotonic())
        self._steps = Steps(services.pace)
        self._fragments = 0
        self._held = 0
        self._reception: Reception | None = None
        self._flags = 0
        self._hold_seconds = 0.0
        self._reports: deque[tuple[float, Report]] = deque()
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._abort_asked = False
        self._dropped = False

    # From other threads

    def drop(self, *, abort: bool) -> None:
        """End it: with an A-ABORT where there is an association, else at once."""
        self._abort_asked, self._dropped = abort, True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD if abort else socket.SHUT_RDWR)

    def report(self, report: Report) -> bool:
        """Send a report between two messages; False: the association never asked for one."""
        if self._wake is None:
            return False
        self._reports.append((time.monotonic(), report))
        with suppress(OSError):
            self._wake[1].send(b"\1")
        return True

    def close(self) -> None:
        """Where it never ran."""
        self._socket.close()

    # In its own thread

    def run(self, *, tls: bool) -> None:
        """From the handshake to the end."""
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                self._handshake()
            while self._step():
                pass
        except GoneError as error:
            self._gone(str(error))
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            self._gone(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - a fault of the edge must not be silent for the peer
            self.ending = f"a fault of the edge: {type(error).__name__}"
            logs.LOGGER.exception("connection failed", extra={"facts": self._who()})
            self._association.abort()
            with suppress(OSError):
                self._flush()
        finally:
            if self._reception is not None:
                self._reception.abandon()
                self._reception = None  # it refers to this connection, whose buffers are freed at once so
            self._services.memory.take(-self._held)
            self._linger()
            for end in self._wake or ():
                end.close()
            self._socket.close()

    def _gone(self, reason: str) -> None:
        if self._abort_asked:
            self._association.abort()
            with suppress(OSError):
                self._flush()
        self.ending = "ended by the edge" if self._dropped else reason
        if self.admission is None:
            logs.info("connection closed", reason=self.ending, peer=self._peer)

    def _cut_off(self) -> bool:
        """Dropped without a word."""
        return self._dropped and not self._abort_asked

    def _who(self) -> dict[str, str | None]:
        row = self.admission.row if self.admission is not None else None
        return {"peer": self._peer, "calling_ae": row.calling_ae if row is not None else None}

    def _handshake(self) -> None:
        context = self._services.tls()
        if context is None:
            raise GoneError("no certificate is configured")
        self._socket.settimeout(self._services.limits.request_seconds)
        self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket.do_handshake()  # its time-out is one for all of it

    def _step(self) -> bool:
        """The next event; False: it was the last."""
        event = self._association.next_event()
        kind = type(event)
        if kind is NeedData:
            self._flush()
            return not self._association.ended and self._receive()
        if isinstance(event, DataReceived):
            assert self._reception is not None  # noqa: S101 - begun
            self._reception.write(event.data)
        elif isinstance(event, StoreStarted):
            self._begin(event)
        elif isinstance(event, StoreEnded):
            self._finish()
        elif isinstance(event, MessageReceived):
            self._message(event)
        elif isinstance(event, AssociationRequested):
            self._requested(event)
        else:
            return self._last(event)
        return True

    def _last(self, event: object) -> bool:
        if isinstance(event, Broken):
            logs.warning("protocol error", reason=event.reason, **self._who())
            self.ending = event.reason
        elif isinstance(event, ReleaseRequested):
            self.released = True
        elif isinstance(event, Aborted):
            self.ending = f"A-ABORT, source {event.source}, reason {event.reason}"
        elif isinstance(event, ConnectionLost):
            raise GoneError("the peer closed the connection")
        self._flush()
        return False

    # Reading and writing

    def _receive(self) -> bool:
        association = self._association
        if self._cut_off():  # what has come already is of no use, and looking at it costs
            raise GoneError("ended by the edge")
        if self._wake is not None and association.between_messages and not self._may_read():
            return True
        space, missing = association.space(), association.missing
        if self._reception is not None and _QUICK_ACK is not None:
            # Senders that keep Nagle's algorithm wait for an acknowledgement after the command (Linux).
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        if self.admission is None:
            self._socket.settimeout(max(0.001, association.deadline - time.monotonic()))
        try:
            if missing:
                count = self._socket.recv_into(space, min(missing, len(space)), self._flags)
            else:
                count = self._socket.recv_into(space)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            association.time_passed(max(time.monotonic(), association.deadline))
            return True
        if count:
            association.received(count, time.monotonic())
            self._cost(count)
        else:
            association.closed()
        return True

    def _cost(self, count: int) -> None:
        association = self._association
        steps, self._fragments = association.fragments - self._fragments, association.fragments
        if self._reception is not None:
            steps += self._reception.steps()
        elif self.admission is None:
            steps += count // BYTES_PER_REQUEST_STEP
        self._steps.taken(steps, count, self._cut_off)
        if (held := association.gathered) != self._held:
            if not self._services.memory.take(held - self._held):
                raise GoneError("too many long messages at once")
            self._held = held

    def _flush(self) -> None:
        if data := self._association.data_to_send():
            if self._hold_seconds:
                time.sleep(self._hold_seconds)
            self._socket.sendall(data)

    def _linger(self) -> None:
        """The peer gets the last word, and then closes; reading on keeps a reset from overtaking it."""
        if self._cut_off():
            return
        end, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
        with suppress(OSError, ValueError):
            self._socket.shutdown(socket.SHUT_WR)
            scrap = bytearray(65536)
            while left > 0 and (seconds := end - time.monotonic()) > 0:
                self._socket.settimeout(seconds)
                if not (count := self._socket.recv_into(scrap)):
                    return
                left -= count

    # The association

    def _requested(self, request: AssociationRequested) -> None:
        calling, called = printable_ae(request.calling), printable_ae(request.called)
        answer = self._desk.admit(Applicant(self._peer, calling, called))
        if isinstance(answer, Rejection):
            self._association.reject(answer.result, answer.source, answer.diagnostic)
            return
        self.admission = answer
        contexts = answer_contexts(request.contexts, answer.prefer)
        self._association.accept(contexts, answer_roles(request.roles), time.monotonic())
        if request.implementation_class_uid.startswith(PYNETDICOM):
            self._hold_seconds = PYNETDICOM_SECONDS
        self._wait_in_the_system()
        accepted = {each.transfer_syntax for each in contexts if each.result == codec.ACCEPTED}
        logs.info(
            "association requested",
            association=answer.row.association,
            calling_ae=calling,
            called_ae=called,
            peer=self._peer,
            transfer_syntaxes=sorted(accepted),
            **({"findings": list(request.findings)} if request.findings else {}),
        )

    def _wait_in_the_system(self) -> None:
        """The system's own time-out, so that one call reads a whole PDU and none is needed to wait for it.

        TLS keeps Python's time-out: without one its `recv` begins again whenever the system's has passed.
        """
        seconds = self._services.limits.idle_seconds
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(seconds)
            return
        self._socket.setblocking(True)
        limit = _TIMES.pack(int(seconds), int(seconds % 1 * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._flags = _WHOLE

    # C-STORE

    def _begin(self, event: StoreStarted) -> None:
        assert self.admission is not None  # noqa: S101 - it is established
        command = event.command
        self._reception = self._services.store.begin(
            self.admission.row,
            StoreCommand(
                command.uid(commands.AFFECTED_CLASS).decode("latin-1"),
                command.uid(commands.AFFECTED_INSTANCE).decode("latin-1"),
                event.context.transfer_syntax,
                event.context.abstract_syntax,
            ),
            self._inflated,
            bulk=self.admission.bulk,
        )

    def _inflated(self, steps: int) -> None:
        self._steps.taken(steps, 0, self._cut_off)

    def _finish(self) -> None:
        reception = self._reception
        assert reception is not None  # noqa: S101 - begun
        self._reception = None
        try:
            status: Status = reception.finish()
            self._slow_down(reception, stored=status.stored)
            self._association.answer(status.code, "" if status.stored else status.short_comment)
            self._flush()
        finally:
            reception.settle()

    def _slow_down(self, reception: Reception, *, stored: bool) -> None:
        """Only a sender that can wait, and only for what is safe on the disk. Its upload does not wait."""
        assert self.admission is not None  # noqa: S101 - it is established
        seconds = self._services.store.room.answer_after(bulk=self.admission.bulk) if stored else 0.0
        if seconds and not self._dropped:
            reception.settle()
            self._desk.delayed()
            self._services.sleep(seconds)

    # Other messages

    def _message(self, message: MessageReceived) -> None:
        context, command = message.context, message.command
        if command.field == commands.N_EVENT_REPORT_RQ | commands.RESPONSE:
            self._desk.reported(command.number(commands.STATUS))
        elif command.field == commands.C_ECHO_RQ and context.abstract_syntax == VERIFICATION:
            self._association.respond(context, command, SUCCESS.code)
        elif command.field == commands.N_ACTION_RQ and context.abstract_syntax == STORAGE_COMMITMENT:
            self._act(context, command, message.data)
        elif command.field in commands.REQUESTS:
            echo = command.field == commands.C_ECHO_RQ
            status = class_not_supported("").code if echo else UNRECOGNIZED_OPERATION
            self._association.respond(context, command, status)
        elif command.field != commands.C_CANCEL_RQ:
            error = message_error(f"a command 0x{command.field:04X}")
            self._association.abort(error.source, error.reason)
            logs.warning("protocol error", reason=str(error), **self._who())

    def _act(self, context: AcceptedContext, command: Command, data: bytes) -> None:
        assert self.admission is not None  # noqa: S101 - it is established
        if self._wake is None:
            self._wake = socket.socketpair()
        action = Action(
            self.admission.row.association,
            context.number,
            context.transfer_syntax,
            command.number(commands.ACTION_TYPE),
            command.uid(commands.REQUESTED_INSTANCE).decode("latin-1"),
            data,
        )
        self._association.respond(context, command, self._desk.act(action))

    def _may_read(self) -> bool:
        """Wait for the peer or for a report to be sent; False: look again."""
        assert self._wake is not None  # noqa: S101 - the caller has looked
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        seconds = self._association.deadline - time.monotonic()
        if self._reports:
            asked, report = self._reports[0]
            hurry = time.monotonic() - asked > HURRY_SECONDS
            if hurry or not _ready([self._socket], QUIET_SECONDS):
                self._reports.popleft()
                self._send(report)
                return False
            return True
        ready = _ready([self._socket, self._wake[0]], max(0.001, seconds))
        if self._wake[0] in ready:
            self._wake[0].recv(4096)
            return False
        if not ready:
            self._association.time_passed(time.monotonic())
        return bool(ready)

    def _send(self, report: Report) -> None:
        context = self._association.contexts.get(report.context)
        if context is None:
            self._desk.reported(None)
            return
        self._association.report(context, report.command, report.data)
        self._flush()


def _ready(sockets: list[socket.socket], seconds: float) -> list[socket.socket]:
    """Those that can be read; `poll` knows no largest descriptor, and Windows knows no `poll`."""
    if not hasattr(select, "poll"):
        return select.select(sockets, [], [], seconds)[0]
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    found = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
    return [each for each in sockets if each.fileno() in found]
