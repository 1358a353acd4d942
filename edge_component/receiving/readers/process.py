"""A reader process as the edge sees it: what it has, what it says, and what is done when it dies."""

from __future__ import annotations

import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from edge_component.journal.database import JournalError
from edge_component.receiving.readers.channel import Channel, Message
from edge_component.receiving.readers.interfaces import EdgeDesk, Heal, Rows
from edge_component.receiving.readers.messages import (
    ACTED,
    ACTION,
    ADMIT,
    ADMITTED,
    ARRIVED,
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
    Loan,
    ReaderSettings,
    Report,
    decode_action,
    decode_admit,
    decode_arrived,
    decode_pair,
    decode_refused,
    decode_sealed,
    encode_admitted,
    encode_loan,
    encode_pair,
    encode_report,
)
from edge_component.records.rows import Arrival
from edge_component.running import logs
from edge_component.running.backoff import Backoff
from edge_component.running.beats import Beats

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""One thread at a time runs Python: memory of its own for each would only be more memory (glibc)."""
AGAIN_SECONDS = 0.5
TELL_SECONDS = 10
"""A reader that takes no message for so long hangs."""
SETTLE_AGAIN = Backoff(0.5, 30.0, uniform=lambda _low, high: high)
DIED = "the process that read the association died"


class Lent:
    """A connection that a reader has."""

    def __init__(self, process: ReaderProcess, number: int) -> None:
        self._process = process
        self._number = number

    def drop(self, *, abort: bool) -> None:
        """End it: with an A-ABORT where there is an association, else at once."""
        self._process.tell(DROP, encode_pair(self._number, abort))

    def report(self, report: Report) -> bool:
        """Send an N-EVENT-REPORT; False: the reader is gone."""
        return self._process.tell(REPORT, encode_report(self._number, report))


class ReaderProcess:
    """One reader. A thread hears it; when it dies, what it has stored and not said is found on the disk.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, settings: ReaderSettings, number: int, rows: Rows, heal: Heal, desk: EdgeDesk) -> None:
        self.ready = threading.Event()
        self.started_at = time.monotonic()
        self.over = False
        """It is dead, and everything that it has stored is in the journal."""
        self.beats = Beats()
        self._rows = rows
        self._heal = heal
        self._desk = desk
        self._run = ""
        self._lock = threading.Lock()
        self._lent: set[int] | None = set()
        """Numbers of connections; None: it takes no more."""
        self._closing = threading.Event()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _started(settings, number, theirs)
        except OSError:
            ours.close()
            raise
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", TELL_SECONDS, 0))
        self._channel = Channel(ours)
        self._thread = threading.Thread(target=self._listen, name=f"reader {number}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether it can be lent to."""
        return self.ready.is_set() and self._thread.is_alive() and self.exit_code is None

    @property
    def lent(self) -> int:
        """Connections that it has now."""
        return len(self._lent or ())

    def kill(self) -> None:
        """It hangs. What it has stored is found as after any other death."""
        self._process.kill()

    def lend(self, connection: socket.socket, loan: Loan) -> Lent | None:
        """None: it is gone."""
        with self._lock:
            if self._lent is None:
                return None
            self._lent.add(loan.connection)
        try:
            self._channel.send(LEND, encode_loan(loan), connection.fileno())
        except OSError:
            self._over(loan.connection)
            self._process.kill()  # it takes nothing, or it is gone
            return None
        return Lent(self, loan.connection)

    def tell(self, kind: bytes, body: bytes) -> bool:
        """False: it is gone, or takes nothing any more and goes now."""
        try:
            self._channel.send(kind, body)
        except OSError:
            logs.warning("a reader process is gone", pid=self.pid)
            self._process.kill()
            return False
        return True

    def tell_room(self, room: bytes) -> None:
        """Whether there is room on the disk."""
        self.tell(ROOM, room)

    def stop(self, seconds: float) -> None:
        """Let it finish what it is at, but not for longer than this; the edge's next start does the rest."""
        self._closing.set()
        self._channel.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._channel.free()

    def _listen(self) -> None:
        try:
            self._hear()
            settled = self._settle()
        finally:
            with self._lock:
                left, self._lent = list(self._lent or ()), None
            for number in left:
                self._desk.left(number, aborted=True, reason=DIED)
        failures = 0
        while not settled and not self._closing.wait(SETTLE_AGAIN.delay(failures)):
            settled, failures = self._settle(), failures + 1
        self.over = settled

    def _hear(self) -> None:
        try:
            for message in self._channel.messages():
                self._heard(message)
        except Exception:  # noqa: BLE001 - whatever it is: what a reader stores must not pile up unseen
            logs.LOGGER.exception("reader is not understood", extra={"facts": {"pid": self.pid}})

    def _settle(self) -> bool:
        """What it has stored is in the journal; or the edge ends, and its next start sees to that."""
        if self._closing.is_set():
            return True
        self._process.kill()  # a reader that is not heard must not go on answering
        self._process.wait()
        try:
            if self._run:
                self._heal(self._run)
        except (JournalError, OSError, sqlite3.Error) as error:
            logs.error("what a dead reader has stored is not in the journal yet", reason=str(error))
            return False
        return True

    def _heard(self, message: Message) -> None:
        self.beats.heard()
        if message.kind == ARRIVED:
            self._arrived(decode_arrived(message.body))
        elif message.kind == SEALED:
            self._rows.seal(*decode_sealed(message.body))
        elif message.kind == REFUSED:
            self._rows.refused(*decode_refused(message.body))
        elif message.kind == ADMIT:
            number, applicant = decode_admit(message.body)
            self.tell(ADMITTED, encode_admitted(number, self._desk.admit(number, applicant)))
        elif message.kind == ACTION:
            number, action = decode_action(message.body)
            self._desk.act_later(number, action, lambda status: self._acted(number, status))
        elif message.kind in (REPORTED, DELAYED, OVER):
            self._heard_of(message.kind, *decode_pair(message.body))
        elif message.kind == READY:
            self._run = message.body.decode()
            self.ready.set()

    def _heard_of(self, kind: bytes, connection: int, said: Any) -> None:
        if kind == REPORTED:
            self._desk.reported(connection, said)
        elif kind == DELAYED:
            self._desk.delayed(connection)
        elif self._over(connection):
            aborted, reason = said
            self._desk.left(connection, aborted=aborted, reason=reason)

    def _acted(self, number: int, status: int) -> None:
        self.tell(ACTED, encode_pair(number, status))

    def _over(self, number: int) -> bool:
        """Whether it had this connection."""
        with self._lock:
            had = self._lent is not None and number in self._lent
            if self._lent is not None:
                self._lent.discard(number)
            return had

    def _arrived(self, arrivals: list[Arrival]) -> None:
        """While the journal is behind nothing more is taken from the reader, and it takes nothing more."""
        while True:
            try:
                self._rows.ready()
            except JournalError as error:
                logs.error("journal does not keep up", reason=str(error))
                self.beats.heard()  # it is not heard, and that is not its fault
                if self._closing.wait(AGAIN_SECONDS):  # on the disk it is: the next start adopts it
                    return
            else:
                for sender, row in arrivals:
                    self._rows.add_instance(sender, row)
                return


def _started(settings: ReaderSettings, number: int, channel: socket.socket) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "edge_component.receiving.readers", str(channel.fileno()), str(number)],
        stdin=subprocess.PIPE,
        pass_fds=[channel.fileno()],
        env={**os.environ, **ONE_ARENA},
        text=True,
    )
    assert process.stdin is not None  # noqa: S101 - a pipe by construction
    with suppress(BrokenPipeError), process.stdin:  # dead already: the listener hears the end
        process.stdin.write(settings.encode() + "\n")
    return process
