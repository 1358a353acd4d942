"""A reader: a process that serves connections for the edge, apart from the edge's interpreter lock.

The edge accepts a connection and lends it before its first byte. Everything about it is done here; the edge
is asked who may associate, gets every row, and hears of storage commitment and of the end.
"""

from __future__ import annotations

import queue
import shutil
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from edge_component.dimse.admission import Applicant, Rejection
from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.receiving.certificates import Certificates
from edge_component.receiving.pressure import Pressures
from edge_component.receiving.readers.channel import Channel, Message
from edge_component.receiving.readers.connection import Connection
from edge_component.receiving.readers.interfaces import Services
from edge_component.receiving.readers.messages import (
    ACTED,
    ACTION,
    ADMIT,
    ADMITTED,
    ARRIVED,
    BEAT,
    DELAYED,
    DROP,
    LEND,
    OVER,
    READY,
    REFUSED,
    REPORT,
    REPORTED,
    ROOM,
    SEALED,
    Action,
    Admission,
    Loan,
    ReaderSettings,
    decode_admitted,
    decode_loan,
    decode_pair,
    decode_report,
    decode_room,
    encode_action,
    encode_admit,
    encode_arrived,
    encode_pair,
    encode_refused,
    encode_sealed,
)
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.store import Store
from edge_component.records.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from edge_component.records.rows import Arrival, AssociationRow, InstanceRow
from edge_component.running import logs
from edge_component.running.beats import BEAT_SECONDS
from edge_component.spool.folder import Spool

GATHER_SECONDS = 0.02
"""No sender waits for a row: a few more may come."""
SWITCH_SECONDS = 0.001
"""A thread that computes gives way to one that has an answer to send (Python's own default: 5 ms)."""
ANSWER_SECONDS = 60.0
"""The edge answers at once, or is in trouble."""


class RemoteJournal:
    """Rows go to the edge, which has the journal; those that come within a moment go together."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._arrivals: list[Arrival] = []
        self._some = threading.Event()
        threading.Thread(target=self._flush_often, name="rows", daemon=True).start()

    def ready(self) -> None:
        """While the edge takes no more, neither does the channel."""

    def add_instance(self, sender: AssociationRow, row: InstanceRow, /) -> None:
        """It is on the disk; if the edge is gone, its next start finds it there."""
        with self._lock:
            self._arrivals.append((sender, row))
            if len(self._arrivals) == 1:
                self._some.set()

    def flush(self) -> None:
        """The edge has all of them before it gets anything else."""
        with self._lock, suppress(OSError):
            if self._arrivals:
                arrivals, self._arrivals = self._arrivals, []
                self._channel.send(ARRIVED, encode_arrived(arrivals))

    def seal(self, segment: str, records: int) -> None:
        """Behind its rows."""
        self.flush()
        with suppress(OSError):
            self._channel.send(SEALED, encode_sealed(segment, records))

    def _flush_often(self) -> None:
        while self._some.wait():
            self._some.clear()
            time.sleep(GATHER_SECONDS)
            self.flush()

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        """Counted there."""
        with suppress(OSError):
            self._channel.send(REFUSED, encode_refused(code, calling_ae, reason))


class RemoteRoom:
    """What the edge last said of the disk, and what the disk says of itself."""

    def __init__(self, spool: Path, reserve_bytes: int) -> None:
        self._spool = spool
        self._reserve = reserve_bytes
        self._pressures = Pressures()

    def set(self, body: bytes) -> None:
        """As the edge says."""
        self._pressures = decode_room(body)

    def refusal(self, *, bulk: bool = False) -> str | None:
        """Why the next instance is not taken."""
        if seconds := self._pressures.of(bulk=bulk).before:
            time.sleep(seconds)
        return self._pressures.of(bulk=bulk).refusal

    def refusal_now(self, *, bulk: bool = False) -> str | None:
        """Why no more is taken of an instance that is coming."""
        refusal = self._pressures.of(bulk=bulk).refusal
        if refusal is None and shutil.disk_usage(self._spool).free < self._reserve:
            return "the disk is full to its reserve, try again later"
        return refusal

    def answer_after(self, *, bulk: bool) -> float:
        """Seconds that the answer to a stored instance waits."""
        return self._pressures.of(bulk=bulk).answer


class RemoteDesk:
    """The edge, as one connection asks it."""

    def __init__(self, channel: Channel, journal: RemoteJournal, connection: int) -> None:
        self._channel = channel
        self._journal = journal
        self._connection = connection
        self._answers: queue.SimpleQueue[Admission | Rejection | int] = queue.SimpleQueue()

    def admit(self, applicant: Applicant, /) -> Admission | Rejection:
        """Ask, and wait for the answer."""
        self._channel.send(ADMIT, encode_admit(self._connection, applicant))
        answer = self._answer()
        if isinstance(answer, int):
            raise OSError("the edge is not understood")
        return answer

    def act(self, action: Action, /) -> int:
        """Ask, behind the rows of what came before, and wait for the answer."""
        self._journal.flush()
        self._channel.send(ACTION, encode_action(self._connection, action))
        answer = self._answer()
        if not isinstance(answer, int):
            raise OSError("the edge is not understood")
        return answer

    def reported(self, status: int | None, /) -> None:
        """Tell."""
        with suppress(OSError):
            self._channel.send(REPORTED, encode_pair(self._connection, status))

    def delayed(self) -> None:
        """Tell."""
        with suppress(OSError):
            self._channel.send(DELAYED, encode_pair(self._connection, None))

    def over(self, *, aborted: bool, reason: str) -> None:
        """Tell, behind the rows."""
        self._journal.flush()
        with suppress(OSError):  # the edge is gone, and so are we in a moment
            self._channel.send(OVER, encode_pair(self._connection, [aborted, reason]))

    def answered(self, answer: Admission | Rejection | int) -> None:
        """By the edge."""
        self._answers.put(answer)

    def _answer(self) -> Admission | Rejection | int:
        try:
            return self._answers.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise TimeoutError("the edge does not answer") from None


class Reader:
    """Serves what comes over the channel until it is closed."""

    def __init__(self, settings: ReaderSettings, channel: Channel) -> None:
        self._settings = settings
        self._channel = channel
        spool = Path(settings.spool)
        self._room = RemoteRoom(spool, settings.disk_reserve_bytes)
        self._spool = Spool(spool)
        self._spool.refused.most_bytes = settings.quarantine_max_bytes
        self._journal = RemoteJournal(channel)
        self._services = Services(
            Store(self._spool, self._journal, self._room),
            Limits(settings.max_pdu_bytes, settings.association_timeout, settings.network_timeout),
            Identity(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
            Certificates(settings).context,
            Pace(),
            Memory(),
        )
        self._serving: dict[int, tuple[Connection, RemoteDesk]] = {}

    def run(self) -> None:
        """Every connection in a thread of its own."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._spool.segments.keep()
        self._channel.send(READY, self._spool.run.encode())
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        for message in self._channel.messages():
            self._heard(message)
        self._spool.close()

    def _beat(self) -> None:
        """A reader that hangs says nothing, and is replaced."""
        with suppress(OSError):  # the edge is gone
            while True:
                self._channel.send(BEAT)
                time.sleep(BEAT_SECONDS)

    def _heard(self, message: Message) -> None:
        if message.kind == ROOM:
            self._room.set(message.body)
        elif message.kind == LEND:
            self._serve(decode_loan(message.body), message.connection)
        elif message.kind == ADMITTED:
            self._answered(*decode_admitted(message.body))
        elif message.kind == ACTED:
            self._answered(*decode_pair(message.body))
        elif message.kind == REPORT:
            number, report = decode_report(message.body)
            if (serving := self._serving.get(number)) and not serving[0].report(report):
                serving[1].reported(None)
        elif message.kind == DROP:
            number, abort = decode_pair(message.body)
            if serving := self._serving.get(number):
                serving[0].drop(abort=abort)

    def _answered(self, number: int, answer: Admission | Rejection | int) -> None:
        if serving := self._serving.get(number):
            serving[1].answered(answer)

    def _serve(self, loan: Loan, descriptor: int | None) -> None:
        desk = RemoteDesk(self._channel, self._journal, loan.connection)
        connection = Connection(socket.socket(fileno=descriptor), loan.peer, self._services, desk)
        self._serving[loan.connection] = connection, desk
        try:
            threading.Thread(target=self._run, args=(loan, connection, desk), daemon=True).start()
        except RuntimeError as error:  # no more threads: this connection is lost, the others are not
            logs.error("connection lost", peer=loan.peer, reason=str(error))
            del self._serving[loan.connection]
            connection.drop(abort=False)
            connection.close()
            desk.over(aborted=True, reason=str(error))

    def _run(self, loan: Loan, connection: Connection, desk: RemoteDesk) -> None:
        try:
            connection.run(tls=loan.tls)
        finally:
            del self._serving[loan.connection]
            desk.over(aborted=not connection.released, reason=connection.ending)
