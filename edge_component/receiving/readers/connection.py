"""The driver of an association: one connection, in a thread of its own.

It does the TLS handshake, the association, C-ECHO and C-STORE; what needs the edge it asks the desk for. An
idle association is a thread that waits in a system call, and costs nothing.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from edge_component.dimse import codec, commands
from edge_component.dimse.admission import Applicant, Rejection, printable_ae
from edge_component.dimse.association import Association
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
from edge_component.dimse.negotiation import answer_contexts, answer_roles
from edge_component.dimse.statuses import Status
from edge_component.receiving.readers import requests
from edge_component.receiving.readers.interfaces import Desk, Services
from edge_component.receiving.readers.messages import Admission, Report
from edge_component.receiving.readers.pace import Steps
from edge_component.receiving.readers.reports import Reports
from edge_component.receiving.readers.space import Space
from edge_component.receiving.readers.stream import GoneError, Stream
from edge_component.receiving.store import Reception, StoreCommand
from edge_component.running import logs

BYTES_PER_REQUEST_STEP = 16
"""Bytes of a request for an association are worth less: a peer that sends many of them waits between."""
PYNETDICOM = "1.2.826.0.1.3680043.9.3811."
"""Implementation class UIDs of senders that lose an answer which comes at once.

In pynetdicom 3.0.4 the reactor that should have paused takes it from the queue."""
PYNETDICOM_SECONDS = 0.005
"""Its interpreter changes threads after so long (docs/decisions/0035)."""


class Connection:
    """One of them. `run` returns when it is over."""

    def __init__(self, connection: socket.socket, peer: str, services: Services, desk: Desk) -> None:
        self.admission: Admission | None = None
        self.released = False
        self.ending = ""
        """Why it ended, where it was not released."""
        self._stream = Stream(connection)
        self._peer = peer
        self._services = services
        self._desk = desk
        self._association = Association(services.limits, services.identity, time.monotonic())
        self._space = Space(self._association, services.buffers)
        self._steps = Steps(services.pace)
        self._fragments = 0
        self._held = 0
        self._reception: Reception | None = None
        self._reports = Reports()

    # From other threads

    def drop(self, *, abort: bool) -> None:
        """End it: with an A-ABORT where there is an association, else at once."""
        self._stream.drop(abort=abort)

    def report(self, report: Report) -> bool:
        """Send a report between two messages; False: the association never asked for one."""
        return self._reports.add(report)

    def close(self) -> None:
        """Where it never ran."""
        self._stream.close()

    # In its own thread

    def run(self, *, tls: bool) -> None:
        """From the handshake to the end."""
        try:
            self._stream.no_delay()
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
            self._space.close()
            self._services.memory.take(-self._held)
            self._stream.linger()
            self._reports.close()
            self._stream.close()

    def _gone(self, reason: str) -> None:
        if self._stream.abort_asked:
            self._association.abort()
            with suppress(OSError):
                self._flush()
        self.ending = "ended by the edge" if self._stream.dropped else reason
        if self.admission is None:
            logs.info("connection closed", reason=self.ending, peer=self._peer)

    def _who(self) -> dict[str, str | None]:
        row = self.admission.row if self.admission is not None else None
        return {"peer": self._peer, "calling_ae": row.calling_ae if row is not None else None}

    def _handshake(self) -> None:
        context = self._services.tls()
        if context is None:
            raise GoneError("no certificate is configured")
        self._stream.handshake(context, self._services.limits.request_seconds)

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
        association, stream = self._association, self._stream
        if stream.cut_off():  # what has come already is of no use, and looking at it costs
            raise GoneError("ended by the edge")
        space, missing = self._space.next(self._reception), association.missing
        if self._reports.expected and association.between_messages and not self._may_read():
            return True
        if self._reception is not None:
            stream.acknowledge_quickly()
        if self.admission is None:
            stream.give(association.deadline - time.monotonic())
        count = stream.receive(space, missing)
        if count is None:
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
        self._steps.taken(steps, count, self._stream.cut_off)
        if (held := association.gathered) != self._held:
            if not self._services.memory.take(held - self._held):
                raise GoneError("too many long messages at once")
            self._held = held

    def _flush(self) -> None:
        if data := self._association.data_to_send():
            self._stream.send(data)

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
            self._stream.hold_seconds = PYNETDICOM_SECONDS
        self._stream.wait_in_the_system(self._services.limits.idle_seconds)
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
            lambda steps: self._steps.taken(steps, 0, self._stream.cut_off),
            bulk=self.admission.bulk,
        )

    def _finish(self) -> None:
        reception, self._reception = self._reception, None
        assert reception is not None  # noqa: S101 - begun
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
        if seconds and not self._stream.dropped:
            reception.settle()
            self._desk.delayed()
            self._services.sleep(seconds)

    # Other messages

    def _message(self, message: MessageReceived) -> None:
        assert self.admission is not None  # noqa: S101 - it is established
        name = self.admission.row.association
        reason = requests.answer(message, name, self._association, self._desk, self._reports)
        if reason is not None:
            logs.warning("protocol error", reason=reason, **self._who())

    def _may_read(self) -> bool:
        """Wait for the peer or for a report to be sent; False: look again."""
        if self._stream.pending:
            return True
        if self._reports.any:
            if report := self._reports.due(self._stream):
                self._send(report)
            return report is None
        seconds = self._association.deadline - time.monotonic()
        woken = self._reports.wait(self._stream, max(0.001, seconds))
        if woken is None:
            self._association.time_passed(time.monotonic())
        return bool(woken)

    def _send(self, report: Report) -> None:
        context = self._association.contexts.get(report.context)
        if context is None:
            self._desk.reported(None)
            return
        self._association.report(context, report.command, report.data)
        self._flush()
