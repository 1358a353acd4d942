"""What the edge says about itself, put together from its parts: problems, status, metrics, whereabouts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from edge_component import VERSION
from edge_component.journal.reading import open_to_read
from edge_component.journal.refusals import Refusal
from edge_component.receiving.associations import Associations
from edge_component.receiving.readers.pool import Readers
from edge_component.receiving.watermark import Watermark
from edge_component.running.clock import moment
from edge_component.running.problem import Problem, state_of, text_of
from edge_component.running.supervisor import WorkerProcess
from edge_component.running.task import Task
from edge_component.settings import Settings
from edge_component.spool.folder import Spool
from edge_component.spool.quarantine import INSTANCE
from edge_component.watching.certificate import Certificate
from edge_component.watching.channels import fields_of, held_back, problem_of
from edge_component.watching.foresight import Foresight
from edge_component.watching.health import prometheus
from edge_component.watching.holdings import MOST, find, held
from edge_component.watching.status import Backlog, JournalNumbers

HOUR, DAY = 3600.0, 86400.0
"""Refusals are a problem for an hour after the last one, a notice for a day."""
MOST_NAMED = 3
MOST_REFUSALS = 100
"""Rows in `/status`."""


class Listens(Protocol):
    """Who has the DICOM ports (`receiving.receiver.Receiver`)."""

    @property
    def alive(self) -> bool:
        """Whether all ports are listened on."""
        ...


class Writes(Protocol):
    """Who writes rows down (`journal.intake.Intake`)."""

    @property
    def alive(self) -> bool:
        """False: no instance can be acknowledged."""
        ...

    @property
    def problem(self) -> str | None:
        """Why the journal takes nothing at present."""
        ...


@dataclass(frozen=True)
class Overview:
    """Reads the parts; changes none. Any thread may ask."""

    settings: Settings
    started_at: float
    spool: Spool
    numbers: JournalNumbers
    watermark: Watermark
    foresight: Foresight
    associations: Associations
    readers: Readers
    receiver: Listens
    intake: Writes
    damage: Callable[[], str | None]
    """What a check of the journal has found."""
    worker: WorkerProcess
    certificate: Certificate
    tasks: list[Task]
    commitments: Callable[[], dict[str, Any]]
    commitment_problems: Callable[[], list[Problem]]
    clock: Callable[[], float] = time.time

    def problems(self) -> list[Problem]:
        """What is wrong, the worst first."""
        found = [
            *self._of_receiving(),
            *self.readers.problems(),
            *self.worker.problems(),
            *(task.problem for task in self.tasks if task.problem),
            *self.commitment_problems(),
            *self._of_channels(),
            *self._of_spool(),
            *self._of_senders(),
        ]
        if certificate := self.certificate.problem():
            found.append(certificate)
        return sorted(found, key=lambda problem: problem.level != "failed")

    def _of_receiving(self) -> Iterator[Problem]:
        if not self.receiver.alive:
            yield Problem("port", "the DICOM port is not listened on", "a-process-ends", "failed")
        if not self.intake.alive:
            yield Problem(
                "journal", "the journal's writer has ended: no instance is acknowledged", JOURNAL, "failed"
            )
        for words in filter(None, (self.intake.problem, self.damage())):
            yield Problem("journal", words, JOURNAL, "failed")
        if self.watermark.level == "refuse":
            reason = "the spool is above its watermark: instances are refused"
            yield Problem("watermark", reason, "edge-disk", "failed")
        elif self.watermark.level == "slow":
            yield Problem("watermark", "the spool fills: senders are slowed down", "edge-disk")
        if self.watermark.bulk_step != "normal":
            done = "refused for now" if self.watermark.bulk_step == "refuse" else "answered slowly"
            reason = f"the spool is {self.watermark.percent:.0f} % full: bulk senders are {done}"
            yield Problem("bulk senders", reason, "bulk-senders-wait")
        if forecast := self.foresight.problem():
            yield forecast

    def _of_channels(self) -> Iterator[Problem]:
        now = self.clock()
        for channel in self.numbers.channels():
            if held_back(channel, self.foresight.limit, self.settings, now):
                continue
            if problem := problem_of(channel, now):
                yield problem
        if stuck := self.numbers.series_problems():
            reason = f"{_count(len(stuck), 'series')} cannot be announced: {stuck[0]}"
            yield Problem("series", reason, "a-series-cannot-be-announced")
        for notice in self.numbers.notices(now - DAY):
            times = f" ({notice.times} times)" if notice.times > 1 else ""
            yield Problem(notice.name, f"{notice.words}{times}", "a-notice", since=notice.happened_at)

    def _of_spool(self) -> Iterator[Problem]:
        if stuck := self.numbers.instance_problems():
            named = ", ".join(f"{count} {problem}" for problem, count in [*stuck.items()][:MOST_NAMED])
            reason = f"{_count(sum(stuck.values()), 'instance')} cannot be sent: {named}"
            yield Problem("instances", reason, "instances-cannot-be-sent")
        if aside := self._files("aside"):
            reason = f"{_count(aside, 'instance')} in aside/: acknowledged, and announced as missing"
            yield Problem("aside", reason, "send-aside-again")

    def _of_senders(self) -> Iterator[Problem]:
        if lately := self.numbers.refusals(self.clock() - HOUR):
            named = "; ".join(_refused(refusal) for refusal in lately[:MOST_NAMED])
            more = f"; and {len(lately) - MOST_NAMED} more kinds" if len(lately) > MOST_NAMED else ""
            reason = f"instances were refused within the hour: {named}{more}"
            yield Problem("refusals", reason, "instances-are-refused", since=min(r.last_at for r in lately))
        if silent := self.numbers.silent():
            named = ", ".join(silent[:MOST_NAMED])
            reason = f"{_count(len(silent), 'sender')} quiet against their rhythm: {named}"
            yield Problem("senders", reason, "edge-quiet-sender")

    def status(self) -> dict[str, Any]:
        """Cumulative counts and the backlog."""
        backlog, problems, silent = self.numbers.backlog(), self.problems(), self.numbers.silent()
        return {
            "edge": self.settings.edge,
            "version": VERSION,
            "started_at": _text(self.started_at),
            "state": state_of(problems),
            "problems": [problem.fields() for problem in problems],
            **self.numbers.counters(),
            "spool_instances": backlog.instances,
            "spool_bytes": backlog.bytes,
            "oldest_unsent_at": _text(backlog.oldest_at),
            "series_open": backlog.series_open,
            "series_sealed": backlog.series_sealed,
            "instances_with_problem": backlog.with_problem,
            "open_associations": self.associations.open,
            "watermark": self.watermark.level,
            **self.foresight.facts(),
            "bulk_senders": self.watermark.bulk_step,
            "bulk_answers_delayed": dict(self.associations.answers_delayed),
            "bulk_associations_rejected": dict(self.associations.bulk_rejected),
            "disk_free_bytes": self.watermark.disk.free,
            "disk_total_bytes": self.watermark.disk.total,
            "worker_pid": self.worker.pid,
            "worker_restarts": self.worker.restarts,
            "reader_pids": self.readers.pids,
            "reader_restarts": self.readers.restarts,
            "connections_lent": self.readers.lent,
            "open_connections": self.associations.connections,
            "limits": self.associations.limits(),
            "certificate_expires_at": _text(self.certificate.expires_at),
            "senders": self.numbers.senders(),
            "silent_aes": silent,
            "silent_senders": len(silent),
            "refusals": self.numbers.refused_by_status(),
            "refused": [_refusal(refusal) for refusal in self.numbers.refusals()[:MOST_REFUSALS]],
            "quarantined": self._files("quarantine"),
            "aside": self._files("aside"),
            "channels": {channel.name: fields_of(channel) for channel in self.numbers.channels()},
            "commitments": self.commitments(),
            **self.worker.report.facts,
        }

    def facts(self) -> dict[str, Any]:
        """For the heartbeat, which the worker sends."""
        expires = self.certificate.expires_at
        return {
            "problems": [vars(problem) for problem in self.problems()],
            "certificate_expires_at": expires,
            "bulk_senders": self.watermark.bulk_step,
            **self.foresight.facts(),
        }

    def where(self, term: str) -> dict[str, Any]:
        """The series that a term means and what each waits for; without one, all that are not announced."""
        with closing(open_to_read(self.spool.journal)) as journal:
            found, more = (find(journal, term), 0) if term else held(journal, MOST)
        problems = self.problems()
        series = [series.fields(problems) for series in found]
        return {"edge": self.settings.edge, "series": series, "series_more": more}

    def metrics(self) -> str:
        """The same for Prometheus."""
        status = self.status()
        numbers = {name: value for name, value in status.items() if type(value) in (int, float)}
        numbers["oldest_unsent_seconds"] = self.backlog().oldest_seconds(self.clock())
        numbers["associations_accepted"] = self.associations.accepted
        line = status.get("uplink", {})
        numbers |= {
            f"uplink_{name}": line[name]
            for name in ("limit_mbit", "used_mbit", "sent_bytes")
            if line.get(name) is not None
        }
        levels = {level: int(level == self.watermark.level) for level in ("normal", "warn", "slow", "refuse")}
        states = {state: int(state == status["state"]) for state in ("ok", "degraded", "failed")}
        return prometheus(
            numbers,
            {
                "associations_rejected": self.associations.rejections,
                "instances_refused_by_status": status["refusals"],
                "bulk_answers_delayed": status["bulk_answers_delayed"],
                "bulk_associations_rejected": status["bulk_associations_rejected"],
                "watermark": levels,
                "state": states,
            },
        )

    def backlog(self) -> Backlog:
        """What is in the spool."""
        return self.numbers.backlog()

    def _files(self, folder: str) -> int:
        names = self.spool.files.names(getattr(self.spool, folder))
        return sum(name.endswith(INSTANCE) for name in names)


JOURNAL = "the-journal-takes-no-rows"


def _refused(refusal: Refusal) -> str:
    return f"{refusal.instances} of {refusal.calling_ae or '?'} with {refusal.code} {refusal.reason}".rstrip()


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "calling_ae": refusal.calling_ae,
        "status": refusal.code,
        "reason": refusal.reason,
        "instances": refusal.instances,
        "last_at": text_of(refusal.last_at),
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 or noun.endswith("s") else f"{number} {noun}s"


def _text(seconds: float | None) -> str | None:
    return moment(seconds).isoformat().replace("+00:00", "Z") if seconds is not None else None
