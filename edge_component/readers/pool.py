"""The reader processes, and what is lent to them."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from edge_component import logs
from edge_component.dimse.stream import HandBack
from edge_component.journal.database import JournalError
from edge_component.journal.rows import AssociationRow, InstanceRow
from edge_component.readers.channel import Channel, Message
from edge_component.readers.messages import (
    ARRIVED,
    BACK,
    LEND,
    READY,
    REFUSED,
    ROOM,
    SEALED,
    Loan,
    ReaderSettings,
    decode_arrived,
    decode_back,
    decode_sealed,
    encode_room,
)
from edge_component.receipt import decode_receipt
from edge_component.settings import Settings

POSSIBLE = hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")
"""A connection can be given to another process (not on Windows: there the edge reads all of them itself)."""
ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""One thread at a time runs Python: memory of its own for each would only be more memory (glibc)."""
AGAIN_SECONDS = 0.5
START_SECONDS = 10.0
DIED = "the process that read the association died"


Heal = Callable[[str], object]
"""Takes care of what a dead reader has stored and not said, by how its files' names begin."""


class Rows(Protocol):
    """Who writes rows down (`journal.intake.Intake`)."""

    def ready(self) -> None:
        """Raises JournalError if no more can be taken now."""
        ...

    def add_instance(self, sender: AssociationRow, row: InstanceRow, /) -> None:
        """Take one."""
        ...

    def seal(self, segment: str, records: int) -> None:
        """All of a segment's rows have been taken."""
        ...

    def refused(self, code: int) -> None:
        """Count a failure status."""
        ...


class Lent:
    """A connection that a reader has, until it gives it back."""

    def __init__(self) -> None:
        self._back: HandBack | None = None
        self._over = threading.Event()

    def wait(self, seconds: float) -> HandBack | None:
        """How it ended; None: it has not."""
        return self._back if self._over.wait(seconds) else None

    def give_back(self, back: HandBack) -> None:
        """It is over."""
        self._back = back
        self._over.set()


class _Process:
    """One reader."""

    def __init__(self, settings: Settings, number: int, rows: Rows, heal: Heal) -> None:
        self._rows = rows
        self._heal = heal
        self._run = ""
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.lent: dict[int, Lent] = {}
        self._over = False
        self.ready = threading.Event()
        self.closing = threading.Event()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "edge_component.readers", str(theirs.fileno()), str(number)],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **ONE_ARENA},
                text=True,
            )
        assert self.process.stdin is not None  # noqa: S101 - a pipe by construction
        self.process.stdin.write(_of(settings).encode() + "\n")
        self.process.stdin.close()
        self.channel = Channel(ours)
        self._thread = threading.Thread(target=self._listen, name=f"reader {number}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it can be lent to."""
        return self.ready.is_set() and self._thread.is_alive() and self.process.poll() is None

    def lend(
        self, connection: socket.socket, sender: AssociationRow, contexts: dict[int, str]
    ) -> Lent | None:
        lent = Lent()
        with self._lock:
            if self._over:
                return None
            number = next(self._numbers)
            self.lent[number] = lent
        try:
            self.channel.send(LEND, Loan(number, sender, contexts).encode(), connection.fileno())
        except OSError:
            with self._lock:
                self.lent.pop(number, None)
            return None
        return lent

    def stop(self, seconds: float) -> None:
        self.closing.set()
        self.channel.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join()
        self.channel.free()

    def _listen(self) -> None:
        try:
            for message in self.channel.messages():
                self._heard(message)
            if self._run and not self.closing.is_set():
                self.process.wait()
                self._heal(self._run)
        finally:
            with self._lock:
                left, self.lent, self._over = list(self.lent.values()), {}, True
            for lent in left:
                lent.give_back(HandBack(gone=DIED))

    def _heard(self, message: Message) -> None:
        if message.kind == ARRIVED:
            self._arrived([decode_receipt(receipt) for receipt in decode_arrived(message.body)])
        elif message.kind == SEALED:
            self._rows.seal(*decode_sealed(message.body))
        elif message.kind == REFUSED:
            self._rows.refused(int(message.body))
        elif message.kind == BACK:
            number, back = decode_back(message.body)
            with self._lock:
                lent = self.lent.pop(number)
            lent.give_back(back)
        elif message.kind == READY:
            self._run = message.body.decode()
            self.ready.set()

    def _arrived(self, arrivals: list[tuple[AssociationRow, InstanceRow]]) -> None:
        """While the journal is behind nothing more is taken from the reader, and it takes nothing more."""
        while True:
            try:
                self._rows.ready()
            except JournalError as error:
                logs.error("journal does not keep up", reason=str(error))
                if self.closing.wait(AGAIN_SECONDS):  # on the disk it is: the next start adopts it
                    return
            else:
                for sender, row in arrivals:
                    self._rows.add_instance(sender, row)
                return


def _of(settings: Settings) -> ReaderSettings:
    return ReaderSettings(
        str(settings.spool),
        settings.max_pdu_bytes,
        settings.network_timeout,
        settings.aws_timeout,
        settings.log_format,
        settings.log_level,
    )


class Readers:
    """Keeps so many readers running and lends to the one with the least to do."""

    def __init__(self, settings: Settings, rows: Rows, heal: Heal) -> None:
        self._settings = settings
        self._rows = rows
        self._heal = heal
        self._room = encode_room(None, 0.0)
        self._processes: list[_Process] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="readers", daemon=True)
        self.restarts = 0

    def start(self) -> None:
        """Start them, and wait a moment for them; while one is not ready the edge reads itself."""
        count = self._settings.receiver_processes if self._settings.receiver == "fast" and POSSIBLE else 0
        self._processes = [self._spawn(number) for number in range(count)]
        for process in self._processes:
            process.ready.wait(START_SECONDS)
        self._thread.start()

    def lend(
        self, connection: socket.socket, sender: AssociationRow, contexts: dict[int, str]
    ) -> Lent | None:
        """To the one with the least to do; None: nobody is there to read it."""
        ready = [process for process in self._processes if process.alive]
        return (
            min(ready, key=lambda process: len(process.lent)).lend(connection, sender, contexts)
            if ready
            else None
        )

    @property
    def lent(self) -> int:
        """Connections that readers have now."""
        return sum(len(process.lent) for process in self._processes)

    @property
    def pids(self) -> list[int]:
        """The processes that can be lent to."""
        return [process.process.pid for process in self._processes if process.alive]

    def tell_room(self, refusal: str | None, slow_down_seconds: float) -> None:
        """Whether there is room on the disk."""
        room = encode_room(refusal, slow_down_seconds)
        if room != self._room:
            self._room = room
            for process in self._processes:
                self._tell(process)

    def stop(self, seconds: float) -> None:
        """Nothing is lent any more."""
        self._stop.set()
        self._thread.join()
        for process in self._processes:
            process.stop(seconds)

    def _spawn(self, number: int) -> _Process:
        process = _Process(self._settings, number, self._rows, self._heal)
        self._tell(process)
        return process

    def _tell(self, process: _Process) -> None:
        try:
            process.channel.send(ROOM, self._room)
        except OSError:
            logs.warning("a reader process is gone", pid=process.process.pid)

    def _watch(self) -> None:
        while not self._stop.wait(AGAIN_SECONDS):
            for number, process in enumerate(self._processes):
                if (code := process.process.poll()) is not None and not self._stop.is_set():
                    logs.error("reader died", exit_code=code, pid=process.process.pid)
                    process.stop(0.0)
                    self._processes[number] = self._spawn(number)
                    self.restarts += 1
