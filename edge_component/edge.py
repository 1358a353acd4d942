"""The edge as a whole: the receiver in this process, readers and worker in processes of their own."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from edge_component import VERSION
from edge_component.assembling.adoption import adopt, end_epochs
from edge_component.commitment.reports import CommitmentReports
from edge_component.dimse.tls import checked_contexts
from edge_component.journal.damage import DamageCheck, set_broken_aside
from edge_component.journal.database import open_journal
from edge_component.journal.intake import Intake
from edge_component.journal.migrations import JournalError
from edge_component.receiving.associations import Associations
from edge_component.receiving.desk import Desk
from edge_component.receiving.readers.pool import Readers
from edge_component.receiving.receiver import Receiver
from edge_component.receiving.store import Store
from edge_component.receiving.watermark import Watermark
from edge_component.running import logs
from edge_component.running.locks import EDGE_LOCK, READER_LOCKS, WORKER_LOCK, ProcessLock
from edge_component.running.problem import words_of
from edge_component.running.startup import StartError, naming
from edge_component.running.supervisor import WorkerProcess
from edge_component.running.task import Task
from edge_component.settings import Settings
from edge_component.spool.folder import Spool
from edge_component.watching.certificate import Certificate
from edge_component.watching.foresight import Foresight
from edge_component.watching.health import LOOPBACK, HealthServer
from edge_component.watching.overview import Overview
from edge_component.watching.status import JournalNumbers

MEASURE_SECONDS = 1.0
TELL_SECONDS = 5.0
"""How soon the heartbeat, which the worker sends, knows what this process knows."""


class Edge:
    """Everything that `python -m edge_component` runs.

    Raises:
        StartError, LockedError: it cannot start.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._spool = Spool(settings.spool)
        self._spool.refused.most_bytes = settings.quarantine_max_bytes
        with naming("spool", settings.spool):
            self._spool.prepare()
        _, report_tls = checked_contexts(settings)
        self._lock = ProcessLock(settings.spool / EDGE_LOCK)
        with naming("spool", settings.spool):
            self._lock.acquire()
        # Other processes outlive a parent that was killed, for a moment; none may write while we adopt.
        others = [settings.spool / WORKER_LOCK, *sorted(settings.spool.glob(READER_LOCKS))]
        locks = [ProcessLock(path) for path in others]
        for lock in locks:
            lock.acquire(settings.aws_timeout)
        self._open_spool()
        for lock in locks:
            lock.release()
        numbers = JournalNumbers(self._spool.journal)
        self._watermark = Watermark(settings, lambda: numbers.backlog().bytes)
        self._associations = Associations(settings, self._intake)
        self._desk = Desk(self._associations, self._intake, settings.network_timeout)
        self._readers = Readers(settings, self._intake, self._heal, self._desk)
        store = Store(self._spool, self._intake, self._watermark)
        self._receiver = Receiver(settings, store, self._associations, self._desk, self._readers)
        self._damage = DamageCheck(self._spool.journal)
        self._worker = WorkerProcess(settings)
        self._reports = CommitmentReports(self._spool.journal, settings, self._desk, report_tls)
        self._foresight = Foresight(
            settings, numbers, self._watermark, received_bulk=lambda: self._intake.bulk_bytes
        )
        self._tasks = [
            Task("watermark", self._measure, MEASURE_SECONDS),
            Task("foresight", self._foresight.run_once, MEASURE_SECONDS),
            Task("segments", self._seal_idle, MEASURE_SECONDS),
            Task("overview", self._tell_worker, TELL_SECONDS),
        ]
        self._overview = Overview(
            settings=settings,
            started_at=time.time(),
            spool=self._spool,
            numbers=numbers,
            watermark=self._watermark,
            foresight=self._foresight,
            associations=self._associations,
            readers=self._readers,
            receiver=self._receiver,
            intake=self._intake,
            damage=lambda: self._damage.problem,
            worker=self._worker,
            certificate=Certificate(settings),
            tasks=self._tasks,
            commitments=self._reports.facts,
            commitment_problems=self._reports.problems,
        )

    def _open_spool(self) -> None:
        """Journal and instances; what the journal lost is found in the files."""
        path = self._spool.journal
        try:
            if aside := set_broken_aside(path):
                logs.error("journal cannot be read: made again from the files", kept_as=aside.name)
            with closing(open_journal(path)) as journal:
                end_epochs(journal, time.time())
                self._intake = Intake(path, bulk_aes=self.settings.bulk_aes)
                adopt(journal, self._spool, self._intake.epoch)
        except JournalError as error:
            raise StartError(str(error)) from error
        except sqlite3.Error as error:
            raise StartError(f"{path} cannot be opened: {error}") from error
        except OSError as error:
            raise StartError(f"EDGE_SPOOL {self._spool.root}: {words_of(error)}") from error

    def _heal(self, run: str) -> None:
        """A reader died: what it acknowledged and did not say is found by its receipt."""
        self._intake.settle()
        with closing(open_journal(self._spool.journal)) as journal:
            adopt(journal, self._spool, self._intake.epoch, run=run)

    def start(self, ready_file: Path | None = None) -> None:
        """Begin to receive; the ready file appears, whole, when the ports are open.

        Raises:
            StartError: a port is taken, or the worker cannot start.
        """
        self._watermark.measure()
        overview = self._overview
        with naming("health_port", f"{self.settings.health_port} on {LOOPBACK}"):
            self._health = HealthServer(
                self.settings.health_port,
                overview.problems,
                overview.metrics,
                overview.status,
                overview.where,
            )
        self._readers.start()
        self._worker.start()
        self._receiver.listen()
        self._health.start()
        for task in self._tasks:
            task.start()
        self._reports.start()
        self._damage.start()
        ports = {**self._receiver.ports, "health_port": self._health.port, "pid": os.getpid()}
        logs.info("edge started", edge=self.settings.edge, version=VERSION, **ports)
        if ready_file is not None:
            with naming("ready_file", ready_file):
                write_atomically(ready_file, json.dumps(ports))

    def stop(self) -> None:
        """Accept no new association, let open ones end, let the worker finish; then give up the spool."""
        deadline = time.monotonic() + self.settings.drain_seconds
        self._receiver.close()
        while self._associations.open and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._associations.open:
            logs.warning("associations aborted at the end of draining", associations=self._associations.open)
            self._receiver.abort()
        for task in self._tasks:
            task.stop()
            task.join(self.settings.association_timeout)
        self._reports.stop(self.settings.association_timeout)
        self._readers.stop(self.settings.association_timeout)
        self._desk.close()
        self._worker.stop(self.settings.drain_seconds)
        self._health.close()
        self._spool.close()
        self._intake.close()
        self._lock.release()
        logs.info("edge stopped", edge=self.settings.edge)

    def _measure(self) -> bool:
        before, step = self._watermark.level, self._watermark.bulk_step
        try:
            measured = self._watermark.measure()
        finally:  # the level is "refuse" while it is unknown: readers are told that, too
            self._receiver.congested(self._watermark.pressures)
            self._readers.tell_room(self._watermark.pressures)
        if measured != before:
            say = logs.warning if measured != "normal" else logs.info
            say("watermark", watermark=measured, before=before, disk_free_bytes=self._watermark.disk.free)
        if (changed := self._watermark.bulk_step) != step:
            say = logs.warning if changed != "normal" else logs.info
            say("bulk senders", step=changed, before=step, full_percent=round(self._watermark.percent, 1))
        return False

    def _seal_idle(self) -> bool:
        self._spool.segments.seal_idle()
        return False

    def _tell_worker(self) -> bool:
        self._worker.tell(self._overview.facts())
        return False


def write_atomically(path: Path, text: str) -> None:
    """Write a file that no reader ever sees half of."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
