"""The worker process: assembler, uploader and announcer, apart from the receiver's interpreter lock."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TextIO

from botocore.exceptions import BotoCoreError, NoRegionError

from edge_component.announcing.announcer import Announcer
from edge_component.announcing.aside import take_again
from edge_component.announcing.retention import Retention
from edge_component.assembling.assembly import Assembly
from edge_component.compressing.compressor import Compressor
from edge_component.journal.database import JournalError, open_journal
from edge_component.line.line import Line
from edge_component.line.timetable import Timetable
from edge_component.running import logs
from edge_component.running.beats import BEAT_SECONDS
from edge_component.running.clock import ClockWatch
from edge_component.running.lean import be_lean
from edge_component.running.locks import WORKER_LOCK, LockedError, ProcessLock
from edge_component.running.supervisor import WorkerReport
from edge_component.running.task import Task
from edge_component.sending.clients import Clients, make_clients
from edge_component.sending.uploader import Uploader
from edge_component.settings import Settings
from edge_component.spool.folder import Spool
from edge_component.watching.heartbeat import Heartbeat

NICENESS = 15
"""Where processor time is short, a sender that waits for an answer comes first. The spool can wait."""
ASSEMBLE_SECONDS = 0.25
IDLE_SECONDS = 0.25
"""Of the tasks that another one wakes when it has made work for them."""
HOUSEKEEPING_SECONDS = 1.0
NO_REGION = "no AWS region is set: set AWS_DEFAULT_REGION, or `region` in the AWS configuration"
CANNOT_START, HANGS, ORPHANED = 1, 3, 2


class Worker:
    """The tasks of one worker process over one journal.

    Raises:
        JournalError, sqlite3.Error: the journal cannot be opened.
    """

    def __init__(self, settings: Settings, spool: Spool, clients: Clients) -> None:
        def journal() -> sqlite3.Connection:
            return open_journal(spool.journal)

        self._pool = ThreadPoolExecutor(2 * settings.uploads_in_flight, thread_name_prefix="upload")
        assembly = Assembly(journal(), spool, settings)
        self._line = Line(Timetable(settings.uplink, settings.time_zone), settings.uplink_pause)
        uploader = Uploader(
            *(journal(), spool, settings, clients.s3, self._pool),
            put_file=clients.put_file,
            line=self._line,
        )
        self._compressor = Compressor(journal(), spool, settings)
        announcer = Announcer(journal(), spool, settings, clients.s3, clients.events)
        self._heartbeat = Heartbeat(journal(), spool, settings, clients.events, line=self._line)
        retention = Retention(journal(), spool, settings)
        asked = journal()
        announce = Task("announcer", announcer.run_once, IDLE_SECONDS)
        upload = Task("uploader", _waking(uploader.run_once, announce), IDLE_SECONDS)
        compress = Task("compressor", _waking(self._compressor.run_once, upload), IDLE_SECONDS)
        assemble = _paced(_waking(assembly.run_once, upload, compress, announce))
        self._tasks = [
            Task("assembler", assemble, ASSEMBLE_SECONDS),
            upload,
            compress,
            announce,
            Task("heartbeat", self._heartbeat.run_once, HOUSEKEEPING_SECONDS),
            Task("aside", lambda: take_again(asked, spool), HOUSEKEEPING_SECONDS),
            Task("clock", ClockWatch().run_once, HOUSEKEEPING_SECONDS),
            Task("retention", retention.run_once, HOUSEKEEPING_SECONDS),
        ]

    def start(self) -> None:
        """Begin."""
        for task in self._tasks:
            task.start()

    def told(self, facts: dict[str, Any]) -> None:
        """What the edge knows and the heartbeat says."""
        self._heartbeat.edge_says = facts

    @property
    def hung(self) -> list[str]:
        """Tasks that only a new process helps."""
        return [task.name for task in self._tasks if task.hung]

    def report(self) -> WorkerReport:
        """What the edge is to know, each second."""
        own = [task.problem for task in self._tasks if task.problem]
        facts = {"heartbeat": self._heartbeat.facts(), "uplink": self._line.facts()}
        return WorkerReport([*own, *self._heartbeat.problems()], facts)

    def stop(self, seconds: float) -> None:
        """End after the current steps. An upload that is cut off is repeated at the next start."""
        for task in self._tasks:
            task.stop()
        for task in self._tasks:
            task.join(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._compressor.close()


def _paced(step: Callable[[], bool]) -> Callable[[], bool]:
    """Waits after every step: what arrives meanwhile shares one commit, and the receiver has the journal."""

    def paced() -> bool:
        step()
        return False

    return paced


def _waking(step: Callable[[], bool], *tasks: Task) -> Callable[[], bool]:
    """A step that has done something has made work for these tasks."""

    def waking() -> bool:
        if done := step():
            for task in tasks:
                task.wake()
        return done

    return waking


def main() -> int:
    """Settings come as one JSON line on standard input; each later line is for us, and its end is ours."""
    settings = Settings.model_validate(json.loads(sys.stdin.readline()))
    logs.configure(settings.log_format, settings.log_level)
    channel = _channel()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_lean()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        worker = _made(settings)
    except (BotoCoreError, JournalError, LockedError, OSError, ValueError, sqlite3.Error) as error:
        words = NO_REGION if isinstance(error, NoRegionError) else f"{type(error).__name__}: {error}"
        _say(channel, WorkerReport(cannot_start=words))
        return CANNOT_START
    over = threading.Event()
    threading.Thread(target=_heed_parent, args=(worker, over), name="parent", daemon=True).start()
    worker.start()
    logs.info("worker started", pid=os.getpid())
    while True:
        _say(channel, worker.report())
        if hung := worker.hung:
            logs.error("task hangs", tasks=hung)
            os._exit(HANGS)  # the supervisor starts a new process
        if over.wait(BEAT_SECONDS):
            break
    worker.stop(settings.aws_timeout)
    logs.info("worker stopped")
    logs.LOGGER.handlers.clear()
    os._exit(0)  # uploads that still wait for an answer are daemons of the pool


def _made(settings: Settings) -> Worker:
    lock = ProcessLock(settings.spool / WORKER_LOCK)
    lock.acquire(settings.aws_timeout)
    return Worker(settings, Spool(settings.spool), make_clients(settings))


def _channel() -> TextIO:
    """Standard output, for reports alone: what else is printed goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _say(channel: TextIO, report: WorkerReport) -> None:
    with suppress(OSError):  # the edge is gone, and its end of the other pipe says so
        channel.write(f"{report.encode()}\n")
        channel.flush()


def _heed_parent(worker: Worker, over: threading.Event) -> None:
    """Heed lines of the edge until it says stop. The end of input means that it is dead."""
    while line := sys.stdin.readline():
        if line.strip() == "stop":
            over.set()
            return
        worker.told(json.loads(line))
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
