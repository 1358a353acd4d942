"""The edge as a whole: receiver in this process, worker in another, numbers for whoever asks."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_component import VERSION
from edge_component.commitment.reports import CommitmentReports
from edge_component.dimse.admission import CONGESTED
from edge_component.dimse.tls import server_context
from edge_component.journal.damage import DamageCheck, set_broken_aside
from edge_component.journal.database import open_journal
from edge_component.journal.intake import Intake
from edge_component.receiving.associations import Associations
from edge_component.receiving.readers.pool import Readers
from edge_component.receiving.receiver import Receiver
from edge_component.receiving.store import Store
from edge_component.receiving.watermark import Watermark
from edge_component.running import logs
from edge_component.running.clock import moment
from edge_component.running.locks import EDGE_LOCK, READER_LOCKS, WORKER_LOCK, ProcessLock
from edge_component.running.supervisor import WorkerProcess
from edge_component.running.task import Loop
from edge_component.settings import Settings
from edge_component.spool.adoption import adopt, end_epochs
from edge_component.spool.folder import Spool
from edge_component.watching.health import HealthServer, prometheus
from edge_component.watching.status import JournalNumbers

MEASURE_SECONDS = 1.0
REPORT_SECONDS = 0.5


class Edge:
    """Everything that `python -m edge_component` runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started_at = time.time()
        self._spool = Spool(settings.spool)
        self._spool.prepare()
        self._lock = ProcessLock(settings.spool / EDGE_LOCK)
        self._lock.acquire()
        # Other processes outlive a parent that was killed, for a moment; none may write while we adopt.
        others = [settings.spool / WORKER_LOCK, *sorted(settings.spool.glob(READER_LOCKS))]
        locks = [ProcessLock(path) for path in others]
        for lock in locks:
            lock.acquire(settings.aws_timeout)
        self._numbers_lock = threading.Lock()
        self._adopt()
        for lock in locks:
            lock.release()
        self._numbers = JournalNumbers(self._spool.journal)
        self._watermark = Watermark(settings, lambda: self._numbers_of().bytes)
        self._associations = Associations(settings, self._intake)
        self._readers = Readers(settings, self._intake, self._heal)
        store = Store(self._spool, self._intake, self._watermark)
        self._receiver = Receiver(settings, store, self._associations, self._readers)
        self._damage = DamageCheck(self._spool.journal)
        self._worker = WorkerProcess(settings)
        self._health = HealthServer(settings.health_port, self.problems, self.metrics, self.status)
        self._failed = threading.Event()
        reports = CommitmentReports(open_journal(self._spool.journal), settings, self._receiver)
        self._reports = Loop("commitment", reports.run_once, REPORT_SECONDS, self._failed)
        self._measuring = Loop("watermark", self._measure, MEASURE_SECONDS, self._failed)

    def _adopt(self) -> None:
        if aside := set_broken_aside(self._spool.journal):
            logs.error("journal cannot be read: made anew from the files", kept_as=aside.name)
        journal = open_journal(self._spool.journal)
        end_epochs(journal, time.time())
        self._intake = Intake(self._spool.journal)
        adopt(journal, self._spool, self._intake.epoch)
        journal.close()

    def _heal(self, run: str) -> None:
        """A reader died: what it acknowledged and did not say is found by its receipt."""
        self._intake.settle()
        with closing(open_journal(self._spool.journal)) as journal:
            adopt(journal, self._spool, self._intake.epoch, run=run)

    def start(self, ready_file: Path | None = None) -> None:
        """Begin to receive; the ready file appears, whole, when the ports are open."""
        self._watermark.measure()
        self._worker.start()
        self._readers.start()
        self._receiver.listen(server_context(self.settings))
        self._health.start()
        self._measuring.start()
        self._reports.start()
        self._damage.start()
        ports = {**self._receiver.ports, "health_port": self._health.port, "pid": os.getpid()}
        logs.info("edge started", edge=self.settings.edge, version=VERSION, **ports)
        if ready_file is not None:
            write_atomically(ready_file, json.dumps(ports))

    def stop(self) -> None:
        """Accept nobody new, let associations end, let the worker finish; then give up the spool."""
        deadline = time.monotonic() + self.settings.drain_seconds
        self._receiver.close()
        while self._associations.open and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._associations.open:
            logs.warning("associations aborted at the end of draining", associations=self._associations.open)
            self._receiver.abort()
        for loop in (self._measuring, self._reports):
            loop.stop()
            loop.join(self.settings.association_timeout)
        self._readers.stop(self.settings.association_timeout)
        self._worker.stop(self.settings.drain_seconds)
        self._health.close()
        self._spool.close()
        self._intake.close()
        self._lock.release()
        logs.info("edge stopped", edge=self.settings.edge)

    def problems(self) -> list[str]:
        """Why the edge is not healthy."""
        reasons = []
        if not self._receiver.alive:
            reasons.append("the DICOM port is not being listened on")
        if not self._intake.alive:
            reasons.append("the journal's writer is dead: nothing can be acknowledged")
        reasons += [problem for problem in (self._intake.problem, self._damage.problem) if problem]
        if self._failed.is_set():
            reasons.append("a thread of the receiver is dead, see the log")
        if self._readers.mending:
            reasons.append("what a dead reader has stored is not in the journal yet")
        if self._worker.pid is None:
            reasons.append("the worker is not running: nothing is uploaded")
        if self._watermark.level == "refuse":
            reasons.append("the spool is above its watermark: instances are refused")
        if stuck := self._numbers_of().with_problem:
            reasons.append(f"{stuck} instances cannot be sent")
        return reasons

    def status(self) -> dict[str, Any]:
        """Cumulative counts and the backlog, for whoever watches."""
        backlog = self._numbers_of()
        with self._numbers_lock:
            counters, senders = self._numbers.counters(), self._numbers.senders()
            refusals, silent = self._numbers.refusals(), self._numbers.silent()
        return {
            "edge": self.settings.edge,
            "version": VERSION,
            "started_at": _text(self.started_at),
            **counters,
            "spool_instances": backlog.instances,
            "spool_bytes": backlog.bytes,
            "oldest_unsent_at": _text(backlog.oldest_at),
            "series_open": backlog.series_open,
            "series_sealed": backlog.series_sealed,
            "instances_with_problem": backlog.with_problem,
            "open_associations": self._associations.open,
            "watermark": self._watermark.level,
            "disk_free_bytes": self._watermark.disk.free,
            "disk_total_bytes": self._watermark.disk.total,
            "worker_pid": self._worker.pid,
            "worker_restarts": self._worker.restarts,
            "reader_pids": self._readers.pids,
            "reader_restarts": self._readers.restarts,
            "associations_lent": self._readers.lent,
            "senders": senders,
            "silent_aes": silent,
            "silent_senders": len(silent),
            "refusals": refusals,
            "quarantined": sum(1 for path in self._spool.quarantine.glob("*.dcm")),
            "aside": sum(1 for path in self._spool.aside.glob("*.dcm")),
        }

    def metrics(self) -> str:
        """The same for Prometheus."""
        status = self.status()
        numbers = {name: value for name, value in status.items() if type(value) in (int, float)}
        numbers["oldest_unsent_seconds"] = self._numbers_of().oldest_seconds(time.time())
        numbers["associations_accepted"] = self._associations.accepted
        levels = {
            level: int(level == self._watermark.level) for level in ("normal", "warn", "slow", "refuse")
        }
        return prometheus(
            numbers,
            {
                "associations_rejected": self._associations.rejections,
                "instances_refused_by_status": status["refusals"],
                "watermark": levels,
            },
        )

    def _numbers_of(self) -> Any:
        with self._numbers_lock:
            return self._numbers.backlog()

    def _measure(self) -> bool:
        before, measured = self._watermark.level, self._watermark.measure()
        if measured != before:
            say = logs.warning if measured != "normal" else logs.info
            say("watermark", watermark=measured, before=before, disk_free_bytes=self._watermark.disk.free)
        self._receiver.refuse(CONGESTED if measured == "refuse" else None)
        self._spool.segments.seal_idle()
        self._readers.tell_room(self._watermark.refusal_now, self._watermark.slow_down_now)
        return False


def write_atomically(path: Path, text: str) -> None:
    """Whoever waits for the file never sees half of it."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def _text(seconds: float | None) -> str | None:
    return moment(seconds).isoformat().replace("+00:00", "Z") if seconds is not None else None
