"""The heartbeat event: cumulative counts, so a lost one costs nothing."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.events import EDGE_HEARTBEAT, EDGE_SOURCE, EdgeHeartbeat, SenderSilence
from edge_component import VERSION
from edge_component.dimse.tls import expires_at
from edge_component.journal.senders import Rhythm
from edge_component.receiving.watermark import Disk, disk_under, level_of
from edge_component.running import logs
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock, moment
from edge_component.sending.answers import code
from edge_component.settings import Settings
from edge_component.watching.status import all_counters, backlog

MAX_SENDERS = 200
"""The event stays below 64 kB."""
DAY = timedelta(days=1)


class Heartbeat:
    """Owned by one thread, which calls `run_once`."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        settings: Settings,
        events: Any,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._events = events
        self._clock = clock
        self._monotonic = monotonic
        self._next_at = monotonic()
        self._rhythm = Rhythm(journal, clock)

    def run_once(self) -> bool:
        """Send it when it is time; a failure waits for the next one."""
        now = self._monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + self._settings.heartbeat_seconds
        entry = {
            "Source": EDGE_SOURCE,
            "DetailType": EDGE_HEARTBEAT,
            "EventBusName": self._settings.event_bus,
            "Detail": json.dumps(self.detail().model_dump(mode="json")),
        }
        try:
            answer = self._events.put_events(Entries=[entry])
        except (BotoCoreError, ClientError) as error:
            logs.warning("heartbeat failed", error=code(error))
            return False
        if answer["FailedEntryCount"]:
            logs.warning("heartbeat failed", error=answer["Entries"][0].get("ErrorCode"))
        return False

    def detail(self, disk: Disk | None = None) -> EdgeHeartbeat:
        """What is said."""
        counts, lying = all_counters(self._journal), backlog(self._journal)
        disk = disk or disk_under(self._settings.spool)
        started = self._journal.execute("SELECT started_at FROM epoch ORDER BY epoch DESC LIMIT 1").fetchone()
        senders = self._journal.execute(
            "SELECT calling_ae, last_association_at FROM sender ORDER BY 2 DESC LIMIT ?", (MAX_SENDERS,)
        ).fetchall()
        self._rhythm.remember()
        silent, expires = self._rhythm.silent(), self._certificate_expires_at()
        return EdgeHeartbeat(
            edge=self._settings.edge,
            version=VERSION,
            started_at=moment(started[0] if started else self._clock()),
            instances_received=counts["instances_received"],
            instances_duplicate=counts["instances_duplicate"],
            instances_refused=counts["instances_refused"],
            instances_uploaded=counts["instances_uploaded"],
            instances_announced=counts["instances_announced"],
            series_announced=counts["series_announced"],
            spool_instances=lying.instances,
            spool_bytes=lying.bytes,
            oldest_unsent_at=moment(lying.oldest_at) if lying.oldest_at is not None else None,
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            watermark=level_of(self._settings, disk, lying.bytes),
            certificate_expires_at=expires,
            certificate_days_left=(expires - moment(self._clock())) // DAY if expires else None,
            senders=[SenderSilence(calling_ae=row[0], last_association_at=moment(row[1])) for row in senders],
            silent_aes=silent[:MAX_SENDERS],
            silent_senders=len(silent),
        )

    def _certificate_expires_at(self) -> datetime | None:
        certificate = self._settings.tls_certificate
        return expires_at(certificate) if certificate else None
