"""The reader processes, and what is lent to them."""

from __future__ import annotations

import socket
import threading
import time

from edge_component.journal.rows import AssociationRow
from edge_component.receiving.readers.messages import ReaderSettings, encode_room
from edge_component.receiving.readers.process import Heal, Lent, ReaderProcess, Rows
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.settings import Settings

POSSIBLE = hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")
"""A connection can be given to another process (not on Windows: there the edge reads all of them itself)."""
CHECK_SECONDS = 0.2
STEADY_SECONDS = 60.0
"""After a reader that ran so long, the next one starts at once."""
START_SECONDS = 10.0


class Readers:
    """Keeps so many readers running and lends to the one with the least to do."""

    def __init__(self, settings: Settings, rows: Rows, heal: Heal) -> None:
        self._settings = settings
        self._rows = rows
        self._heal = heal
        self._room = encode_room(None, 0.0)
        self._processes: list[ReaderProcess] = []
        self._schedule = Schedule(Backoff(1.0, 30.0, uniform=lambda _low, high: high))
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
        if not ready:
            return None
        return min(ready, key=lambda process: process.lent).lend(connection, sender, contexts)

    @property
    def lent(self) -> int:
        """Connections that readers have now."""
        return sum(process.lent for process in self._processes)

    @property
    def pids(self) -> list[int]:
        """The processes that can be lent to."""
        return [process.pid for process in self._processes if process.alive]

    @property
    def mending(self) -> bool:
        """What a dead one has stored is not all in the journal yet."""
        return any(process.exit_code is not None and not process.over for process in self._processes)

    def tell_room(self, refusal: str | None, slow_down_seconds: float) -> None:
        """Whether there is room on the disk."""
        room = encode_room(refusal, slow_down_seconds)
        if room != self._room:
            self._room = room
            for process in self._processes:
                process.tell_room(room)

    def stop(self, seconds: float) -> None:
        """Nothing is lent any more."""
        self._stop.set()
        self._thread.join()
        for process in self._processes:
            process.stop(seconds)

    def _spawn(self, number: int) -> ReaderProcess:
        process = ReaderProcess(_of(self._settings), number, self._rows, self._heal)
        process.tell_room(self._room)
        return process

    def _watch(self) -> None:
        noticed: set[int] = set()
        while not self._stop.wait(CHECK_SECONDS):
            for number, process in enumerate(self._processes):
                now = time.monotonic()
                if process.over and number not in noticed:
                    noticed.add(number)
                    self._died(number, process, now)
                if number in noticed and self._schedule.ready(number, now) and self._replace(number, now):
                    noticed.discard(number)

    def _died(self, number: int, process: ReaderProcess, now: float) -> None:
        logs.error("reader died", exit_code=process.exit_code, pid=process.pid)
        process.stop(0.0)
        if now - process.started_at < STEADY_SECONDS:
            self._schedule.failed(number, now)
        else:
            self._schedule.done(number)

    def _replace(self, number: int, now: float) -> bool:
        try:
            self._processes[number] = self._spawn(number)
        except OSError as error:
            logs.error("no reader can be started: the edge reads itself", reason=str(error))
            self._schedule.failed(number, now)
            return False
        self.restarts += 1
        return True


def _of(settings: Settings) -> ReaderSettings:
    return ReaderSettings(
        str(settings.spool),
        settings.max_pdu_bytes,
        settings.network_timeout,
        settings.aws_timeout,
        settings.log_format,
        settings.log_level,
    )
