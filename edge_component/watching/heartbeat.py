"""The heartbeat event: cumulative counts, so a lost one costs nothing; behind it, what the edge holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.messages.events import (
    EDGE_HEARTBEAT,
    EDGE_HOLDINGS,
    EDGE_SOURCE,
    MAX_EVENT_BYTES,
    EdgeHeartbeat,
    EdgeHoldings,
    EdgeProblem,
    EdgeUplink,
    HeldSeries,
    SenderSilence,
)
from edge_component import VERSION
from edge_component.journal.senders import Rhythm
from edge_component.line.line import Line
from edge_component.receiving.watermark import Disk, disk_under, level_of
from edge_component.running import logs
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock, moment
from edge_component.running.outage import Outage
from edge_component.running.problem import Problem, decode_problems, state_of
from edge_component.settings import Settings
from edge_component.spool.folder import Spool
from edge_component.spool.quarantine import INSTANCE
from edge_component.watching.holdings import Held, held
from edge_component.watching.status import all_counters, backlog, missing_since

MAX_SENDERS = 200
MAX_PROBLEMS = 20
MAX_SERIES = 1000
"""Of those that are held, in the events behind one heartbeat; the others are only counted."""
SERIES_AN_EVENT = 80
LONGEST_PROBLEM = 100
DAY = timedelta(days=1)
OF_THE_EDGE = ("forecast", "hours_until_full", "bulk_senders")
"""Fields that it fills in as the edge says."""
WAYS = ("upload", "announcement", "storage commitment report")
"""Names of the problems that say that nothing gets out this way."""


class Heartbeat:
    """Owned by one thread, which calls `run_once`."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        spool: Spool,
        settings: Settings,
        events: Any,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
        after_seconds: float = 0.0,
        line: Line | None = None,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._settings = settings
        self._events = events
        self._line = line or Line()
        self._clock = clock
        self._monotonic = monotonic
        self._next_at = monotonic() + after_seconds
        self._rhythm = Rhythm(journal, clock)
        self._outage = Outage(clock)
        self.edge_says: dict[str, Any] = {}
        """Fields of the heartbeat that the edge knows; `certificate_expires_at` in seconds since 1970."""

    def run_once(self) -> bool:
        """Send it when it is time; after a failure sooner, so that its end is seen."""
        now = self._monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + self._settings.heartbeat_seconds
        detail = self.detail()
        try:
            self._put(EDGE_HEARTBEAT, detail.model_dump(mode="json"))
            for holdings in self.holdings():
                self._put(EDGE_HOLDINGS, holdings.model_dump(mode="json"))
        except (BotoCoreError, ClientError, NotTakenError) as error:
            self._next_at = now + min(self._settings.heartbeat_seconds, self._settings.backoff_cap_seconds)
            self._outage.failed(_words(error))
            logs.warning("heartbeat failed", error=_words(error))
        else:
            self._outage.succeeded()
        return False

    def problems(self) -> list[Problem]:
        """Why AWS does not hear of this edge."""
        problem = self._outage.way.problem("heartbeat", "nothing-gets-out", "", self._clock())
        return [problem] if problem else []

    def facts(self) -> dict[str, Any]:
        """Its state, for `/status`."""
        return self._outage.way.fields()

    def detail(self, disk: Disk | None = None) -> EdgeHeartbeat:
        """What is said."""
        counts, lying, now = all_counters(self._journal), backlog(self._journal), self._clock()
        disk = disk or disk_under(self._settings.spool)
        started = self._journal.execute("SELECT started_at FROM epoch ORDER BY epoch DESC LIMIT 1").fetchone()
        senders = self._journal.execute(
            "SELECT calling_ae, last_association_at FROM sender ORDER BY 2 DESC LIMIT ?", (MAX_SENDERS,)
        ).fetchall()
        self._rhythm.remember()
        silent, expires = self._rhythm.silent(), self.edge_says.get("certificate_expires_at")
        problems = decode_problems(self.edge_says.get("problems", []))
        failing = [now - problem.since for problem in problems if problem.name in WAYS and problem.since]
        return EdgeHeartbeat(
            edge=self._settings.edge,
            version=VERSION,
            started_at=moment(started[0] if started else now),
            instances_received=counts["instances_received"],
            instances_duplicate=counts["instances_duplicate"],
            instances_refused=counts["instances_refused"],
            instances_uploaded=counts["instances_uploaded"],
            instances_announced=counts["instances_announced"],
            instances_missing=counts["instances_missing"],
            instances_missing_lately=missing_since(self._journal, now - DAY.total_seconds()),
            instances_with_problem=lying.with_problem,
            instances_quarantined=_files(self._spool.files.names(self._spool.quarantine)),
            instances_aside=_files(self._spool.files.names(self._spool.aside)),
            series_announced=counts["series_announced"],
            series_held=lying.series_open + lying.series_sealed,
            spool_instances=lying.instances,
            spool_bytes=lying.bytes,
            oldest_unsent_at=moment(lying.oldest_at) if lying.oldest_at is not None else None,
            oldest_unsent_seconds=round(lying.oldest_seconds(now)),
            failing_seconds=round(max([0.0, *failing])),
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            watermark=level_of(self._settings, disk, lying.bytes),
            certificate_expires_at=moment(expires) if expires else None,
            certificate_days_left=(moment(expires) - moment(now)) // DAY if expires else None,
            senders=[SenderSilence(calling_ae=row[0], last_association_at=moment(row[1])) for row in senders],
            silent_aes=silent[:MAX_SENDERS],
            silent_senders=len(silent),
            state=state_of(problems),
            problems=[_said(problem) for problem in problems[:MAX_PROBLEMS]],
            uplink=EdgeUplink.model_validate(self._line.facts()),
            **{name: self.edge_says[name] for name in OF_THE_EDGE if name in self.edge_says},
        )

    def holdings(self) -> Iterator[EdgeHoldings]:
        """The series that are held, oldest first. An edge that holds none says so in one event."""
        series, more = held(self._journal, MAX_SERIES)
        pages = [series[at : at + SERIES_AN_EVENT] for at in range(0, len(series), SERIES_AN_EVENT)] or [[]]
        now = moment(self._clock())
        for number, page in enumerate(pages, start=1):
            yield EdgeHoldings(
                edge=self._settings.edge,
                said_at=now,
                page=number,
                pages=len(pages),
                series=_of(page),
                series_more=more,
            )

    def _put(self, detail_type: str, detail: dict[str, Any]) -> None:
        text = json.dumps(detail)
        assert len(text) < MAX_EVENT_BYTES, detail_type  # noqa: S101 - by the limits above
        entry = {
            "Source": EDGE_SOURCE,
            "DetailType": detail_type,
            "EventBusName": self._settings.event_bus,
            "Detail": text,
        }
        answer = self._events.put_events(Entries=[entry])
        results = answer.get("Entries") or [{}]
        if answer.get("FailedEntryCount") != 0 or not results[0].get("EventId"):
            raise NotTakenError(str(results[0].get("ErrorCode") or "EventBridge gave no event id"))


class NotTakenError(RuntimeError):
    """EventBridge answered, and did not take the event."""


def _words(error: BaseException) -> str:
    """The cloud's own."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return f"{said.get('Code', 'ClientError')}: {said.get('Message', '')}".rstrip(": ")
    return str(error) if isinstance(error, NotTakenError) else f"{type(error).__name__}: {error}"


def _files(names: Iterable[str]) -> int:
    return sum(name.endswith(INSTANCE) for name in names)


def _said(problem: Problem) -> EdgeProblem:
    return EdgeProblem.model_validate(problem.fields())


def _of(page: Sequence[Held]) -> list[HeldSeries]:
    return [
        HeldSeries(
            study_instance_uid=series.study_instance_uid,
            series_instance_uid=series.series_instance_uid,
            transfer_id=series.transfer_id,
            modality=series.modality,
            calling_ae=series.calling_ae,
            state=series.state,
            instances=series.instances,
            instances_uploaded=series.instances_uploaded,
            total_bytes=series.total_bytes,
            first_received_at=moment(series.first_received_at),
            last_received_at=moment(series.last_received_at),
            problem=series.problem and series.problem[:LONGEST_PROBLEM],
        )
        for series in page
    ]
