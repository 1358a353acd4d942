"""The worker process: assembler, uploader and announcer, apart from the receiver's interpreter lock."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from edge_component.announcing.announcer import Announcer
from edge_component.announcing.aside import take_again
from edge_component.assembling.assembly import Assembly
from edge_component.journal.database import open_journal
from edge_component.journal.retention import Retention
from edge_component.running import logs
from edge_component.running.clock import ClockWatch
from edge_component.running.lean import be_lean
from edge_component.running.locks import WORKER_LOCK, ProcessLock
from edge_component.running.task import Loop
from edge_component.sending.clients import Clients, make_clients
from edge_component.sending.uploader import Uploader
from edge_component.settings import Settings
from edge_component.spool.folder import Spool
from edge_component.watching.heartbeat import Heartbeat

NICENESS = 15
"""Where processor time is short, whoever waits for an answer comes first; the spool can wait."""
ASSEMBLE_SECONDS = 0.25
UPLOAD_SECONDS = 0.05
ANNOUNCE_SECONDS = 0.1
HOUSEKEEPING_SECONDS = 1.0


class Worker:
    """The loops of one worker process over one journal."""

    def __init__(self, settings: Settings, spool: Spool, clients: Clients) -> None:
        self.failed = threading.Event()
        self._pool = ThreadPoolExecutor(settings.uploads_in_flight, thread_name_prefix="upload")
        self._connections = [open_journal(spool.journal) for _ in range(4)]
        assembly = Assembly(self._connections[0], spool, settings)
        uploader = Uploader(
            self._connections[1],
            spool,
            settings,
            clients.s3,
            self._pool,
            put_file=clients.put_file,
        )
        announcer = Announcer(self._connections[2], spool, settings, clients.s3, clients.events)
        heartbeat = Heartbeat(self._connections[3], settings, clients.events)
        asked = open_journal(spool.journal)
        retention = Retention(open_journal(spool.journal), spool, settings)
        self._loops = [
            Loop("assembler", _paced(assembly.run_once), ASSEMBLE_SECONDS, self.failed),
            Loop("uploader", uploader.run_once, UPLOAD_SECONDS, self.failed),
            Loop("announcer", announcer.run_once, ANNOUNCE_SECONDS, self.failed),
            Loop("heartbeat", heartbeat.run_once, HOUSEKEEPING_SECONDS, self.failed),
            Loop("aside", lambda: take_again(asked, spool), HOUSEKEEPING_SECONDS, self.failed),
            Loop("clock", ClockWatch().run_once, HOUSEKEEPING_SECONDS, self.failed),
            Loop("retention", retention.run_once, HOUSEKEEPING_SECONDS, self.failed),
        ]

    def start(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.start()

    def stop(self, seconds: float) -> None:
        """End after the steps under way; an upload cut off here is done again at the next start."""
        for loop in self._loops:
            loop.stop()
        for loop in self._loops:
            loop.join(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)


def _paced(step: Callable[[], bool]) -> Callable[[], bool]:
    """Waits after every step: what arrives meanwhile shares one commit, and the receiver has the journal."""

    def paced() -> bool:
        step()
        return False

    return paced


def main() -> int:
    """Settings come as one JSON line on standard input; the next line, or its end, is ours."""
    settings = Settings.model_validate(json.loads(sys.stdin.readline()))
    logs.configure(settings.log_format, settings.log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_lean()
    spool = Spool(settings.spool)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    lock = ProcessLock(settings.spool / WORKER_LOCK)
    lock.acquire(settings.aws_timeout)
    worker = Worker(settings, spool, make_clients(settings))
    over = threading.Event()
    threading.Thread(target=_heed_parent, args=(over,), name="parent", daemon=True).start()
    worker.start()
    logs.info("worker started", pid=os.getpid())
    while not over.wait(0.2):
        if worker.failed.is_set():
            os._exit(1)  # a thread is dead: the supervisor starts a new process
    worker.stop(settings.aws_timeout)
    logs.info("worker stopped")
    logs.LOGGER.handlers.clear()
    os._exit(0)  # uploads that still wait for an answer are daemons of the pool


def _heed_parent(over: threading.Event) -> None:
    """A line means: finish. The end of input means that the parent is dead, and another will start anew."""
    if sys.stdin.readline():
        over.set()
    else:
        os._exit(2)


if __name__ == "__main__":
    sys.exit(main())
