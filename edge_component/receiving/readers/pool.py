"""The reader processes, and what is lent to them."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from edge_component.receiving.pressure import Pressures
from edge_component.receiving.readers.interfaces import EdgeDesk, Heal, Rows
from edge_component.receiving.readers.messages import Loan, ReaderSettings, encode_room
from edge_component.receiving.readers.process import Lent, ReaderProcess
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.problem import Problem
from edge_component.running.task import Task
from edge_component.settings import Settings

POSSIBLE = hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")
"""A connection can be given to another process (not on Windows: there the edge reads all of them itself)."""
CHECK_SECONDS = 0.2
STEADY_SECONDS = 60.0
"""After a reader that ran so long, the next one starts at once."""
START_SECONDS = 10.0
HUNG_START_SECONDS = 60.0
"""Until its first message: Python loads, and waits for the lock of a reader before it."""


class Readers:
    """Keeps so many readers running and lends to the one with the least to do."""

    def __init__(self, settings: Settings, rows: Rows, heal: Heal, desk: EdgeDesk) -> None:
        self._settings = settings
        self._rows = rows
        self._heal = heal
        self._desk = desk
        self._room = encode_room(Pressures())
        self._processes: list[ReaderProcess] = []
        self._schedule = Schedule(Backoff(1.0, 30.0, uniform=lambda _low, high: high))
        self._noticed: set[int] = set()
        """Readers whose death was seen, and that were not replaced yet."""
        self._task = Task("readers", self._look, CHECK_SECONDS)
        self.restarts = 0

    def start(self) -> None:
        """Start them, and wait a moment for them; while one is not ready the edge reads itself."""
        count = self._settings.receiver_processes if POSSIBLE else 0
        self._processes = [self._spawn(number) for number in range(count)]
        for process in self._processes:
            process.ready.wait(START_SECONDS)
        self._task.start()

    def lend(self, connection: socket.socket, loan: Loan) -> Lent | None:
        """To the one with the least to do; None: no reader is there to take it."""
        ready = [process for process in self._processes if process.alive]
        for process in sorted(ready, key=lambda process: process.lent):
            if lent := process.lend(connection, loan):
                return lent
        return None

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

    def problems(self) -> list[Problem]:
        """What is wrong with them."""
        found = [self._task.problem] if self._task.problem else []
        if self.mending:
            reason = "a reader died: what it stored is not in the journal yet"
            found.append(Problem("readers", reason, "a-process-ends", "failed"))
        elif self._processes and not self.pids:
            found.append(Problem("readers", "no reader is running: the edge reads itself", "a-process-ends"))
        return found

    def tell_room(self, pressures: Pressures) -> None:
        """Whether there is room on the disk, and for whom."""
        room = encode_room(pressures)
        if room != self._room:
            self._room = room
            for process in self._processes:
                process.tell_room(room)

    def stop(self, seconds: float) -> None:
        """Nothing is lent any more."""
        self._task.stop()
        self._task.join(seconds)
        for process in self._processes:
            process.stop(seconds)

    def _spawn(self, number: int) -> ReaderProcess:
        process = ReaderProcess(_of(self._settings), number, self._rows, self._heal, self._desk)
        process.tell_room(self._room)
        return process

    def _look(self) -> bool:
        for number, process in enumerate(self._processes):
            now = time.monotonic()
            self._kill_if_hung(process)
            if process.over and number not in self._noticed:
                self._noticed.add(number)
                self._died(number, process, now)
            if number in self._noticed and self._schedule.ready(number, now) and self._replace(number, now):
                self._noticed.discard(number)
        return False

    def _kill_if_hung(self, process: ReaderProcess) -> None:
        silence, patience = process.beats.silence(), self._settings.hung_seconds
        if not process.ready.is_set():
            patience = max(patience, HUNG_START_SECONDS)
        if silence > patience and process.exit_code is None:
            logs.error("reader hangs", pid=process.pid, silent_seconds=round(silence, 1))
            process.kill()

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
    tls = settings.tls_port is not None
    return ReaderSettings(
        spool=str(settings.spool),
        max_pdu_bytes=settings.max_pdu_bytes,
        association_timeout=settings.association_timeout,
        network_timeout=settings.network_timeout,
        lock_timeout=settings.aws_timeout,
        disk_reserve_bytes=settings.disk_reserve_bytes,
        quarantine_max_bytes=settings.quarantine_max_bytes,
        tls_certificate=_path(settings.tls_certificate) if tls else None,
        tls_key=_path(settings.tls_key),
        tls_client_ca=_path(settings.tls_client_ca),
        tls_strict=settings.tls_strict,
        log_format=settings.log_format,
        log_level=settings.log_level,
    )


def _path(path: Path | None) -> str | None:
    return str(path) if path is not None else None
