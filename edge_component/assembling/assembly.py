"""The assembler at work: reads new rows of the journal, decides, writes the decisions in one transaction."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from functools import partial

from dicom_ingest.contracts.messages.events import SealReason
from edge_component.assembling.hashes import Hashes, Needed
from edge_component.assembling.quiet import quiet_seconds
from edge_component.assembling.rules import (
    Arrival,
    Begin,
    Duplicate,
    Join,
    OpenSeries,
    Progress,
    Rules,
    Sitting,
    assign,
    grown,
    is_full,
    next_sequence,
    not_due_for,
    seal_reason,
)
from edge_component.assembling.transfers import (
    OPEN_PROGRESS,
    arriving,
    bulk_sittings,
    close,
    correlation_id,
    open_series_of,
    sittings,
    transfers_of,
    versions,
)
from edge_component.journal import instances
from edge_component.journal.database import transaction
from edge_component.running import logs
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Age, Ages, Clock
from edge_component.settings import Settings
from edge_component.spool.folder import Spool

BATCH = 200
"""Instances assigned in one transaction: the receiver's commits wait for it."""
LOOK_SECONDS = 5.0
"""All open series are looked at as often as that: the quiet time of a series changes with its senders."""
MAX_NAMED = 20
"""Associations in one log line; a modality may open one an image."""


WITHOUT_ARRIVALS: frozenset[SealReason] = frozenset(("quiet", "inactive"))
OpenSeriesByUid = dict[tuple[str, str], list[OpenSeries]]
"""By study and series UID."""


def rules_of(settings: Settings) -> Rules:
    """The rules that the settings make."""
    return Rules(
        inactive_seconds=settings.series_inactive_seconds,
        hard_cap_seconds=settings.series_hard_cap_seconds,
        max_instances=settings.max_series_instances,
        max_bytes=settings.max_series_bytes,
        duplicate_seconds=settings.duplicate_seconds,
        bulk_seconds=settings.bulk_transfer_minutes * 60,
    )


def new_transfer_id() -> str:
    """Drawn once and journalled."""
    return str(uuid.uuid4())


class Assembly:
    """The one owner of transfers; `run_once` may be called as often as one likes."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        spool: Spool,
        settings: Settings,
        clock: Clock = SYSTEM_CLOCK,
        transfer_ids: Callable[[], str] = new_transfer_id,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._rules = rules_of(settings)
        self._clock = clock
        self._monotonic = monotonic
        self._ages = Ages(clock, monotonic)
        self._transfer_ids = transfer_ids
        self._hashes = Hashes(journal, spool, settings, monotonic)
        self._bulk_sittings: dict[str, list[Sitting]] = {}
        """By calling AE title, within a batch: what is counted in SQL is counted once a batch."""
        self._look_at = monotonic()
        """When a series may be complete, at the soonest: looking at all that are open costs more the longer
        they are."""

    def run_once(self) -> bool:
        """Assign what has arrived, seal what is complete; True: something was done."""
        assigned = batch = self._assign_batch()
        while batch >= BATCH:
            batch = self._assign_batch()
        return self._seal() or assigned > 0

    def _assign_batch(self) -> int:
        """Returns how many were assigned. Versions of an instance keep their order, read or unread."""
        rows = instances.received(self._journal, BATCH + self._hashes.failing())
        waiting: set[str] = set()
        ready: list[tuple[sqlite3.Row, Needed]] = []
        for row in rows:
            found = None if row["sop_instance_uid"] in waiting else self._hashes.needed(row)
            if found is None:
                waiting.add(row["sop_instance_uid"])
            else:
                ready.append((row, found))
        if not ready:
            return 0
        open_series: OpenSeriesByUid = {}
        self._bulk_sittings.clear()
        with transaction(self._journal) as journal:
            for row, found in ready:
                self._assign(journal, row, found, open_series)
        return len(ready)

    def _assign(
        self,
        journal: sqlite3.Connection,
        row: sqlite3.Row,
        found: Needed,
        open_series: OpenSeriesByUid,
    ) -> None:
        for instance, sha256 in found.earlier.items():
            instances.hashed(journal, instance, sha256)
        study, series = row["study_instance_uid"], row["series_instance_uid"]
        if (study, series) not in open_series:  # counting is asked for once a batch, not once an instance
            open_series[study, series] = open_series_of(journal, study, series)
        decision = assign(
            Arrival(row["sop_instance_uid"], found.sha256, row["bytes"], row["received_at"]),
            versions(journal, series, row["sop_instance_uid"]) if row["again"] else (),
            open_series[study, series],
            self._rules,
            partial(self._new_place, journal, row),
        )
        if isinstance(decision, Duplicate):
            instances.duplicate(journal, row["instance"], decision.twin, decision.dataset_sha256)
            return
        if isinstance(decision, Begin):
            self._begin(journal, decision, row)
        else:
            self._join(journal, decision)
        sender = self._settings.sender(row["calling_ae"])
        instances.assign(
            journal,
            row["instance"],
            decision.sequence,
            found.sha256,
            found.problem,
            bulk=sender is not None and sender.priority == "bulk",
            compress=sender is not None and sender.compress == "htj2k",
        )
        open_series[study, series] = grown(open_series[study, series], decision, row["bytes"])
        self._sat(decision, row, open_series[study, series])
        if isinstance(decision, Begin) or any(
            is_full(one, self._rules) for one in open_series[study, series]
        ):
            self._look_at = self._monotonic()

    def _new_place(self, journal: sqlite3.Connection, row: sqlite3.Row) -> tuple[int, str]:
        """Sequence and transfer id of a new series transfer: what comes together shares the transfer."""
        last = journal.execute("SELECT coalesce(max(sequence), 0) FROM series_transfer").fetchone()[0]
        found = self._sittings(journal, row)
        return next_sequence(last, self._clock()), found[-1] if found else self._transfer_ids()

    def _sittings(self, journal: sqlite3.Connection, row: sqlite3.Row) -> list[str]:
        calling_ae, series = row["calling_ae"], row["series_instance_uid"]
        if not self._bulk(calling_ae):
            return sittings(journal, row["study_instance_uid"], series)
        if calling_ae not in self._bulk_sittings:
            self._bulk_sittings[calling_ae] = bulk_sittings(journal, calling_ae)
        known = self._bulk_sittings[calling_ae]
        takes = [each.transfer_id for each in known if each.takes(row["received_at"], self._rules)]
        held = transfers_of(journal, series) if takes else set()
        return [transfer_id for transfer_id in takes if transfer_id not in held]

    def _sat(self, decision: Begin | Join, row: sqlite3.Row, open_series: list[OpenSeries]) -> None:
        """Count an instance for the transfer that it went into, where that is a bulk sender's."""
        if not self._bulk_sittings:
            return
        transfer_id = next(each.transfer_id for each in open_series if each.sequence == decision.sequence)
        known = [each for sender in self._bulk_sittings.values() for each in sender]
        found = next((each for each in known if each.transfer_id == transfer_id), None)
        if found is None and isinstance(decision, Begin) and row["calling_ae"] in self._bulk_sittings:
            found = Sitting(transfer_id, row["received_at"])
            self._bulk_sittings[row["calling_ae"]].append(found)
        if found is not None:
            found.add(decision.sequence, 1, row["bytes"])

    def _bulk(self, calling_ae: str) -> bool:
        sender = self._settings.sender(calling_ae)
        return sender is not None and sender.priority == "bulk"

    def _begin(self, journal: sqlite3.Connection, decision: Begin, row: sqlite3.Row) -> None:
        if decision.full is not None:
            sequence, why = decision.full
            self._write_seal(journal, sequence, why, aborted=False)
        journal.execute(
            """INSERT INTO series_transfer
               (sequence, transfer_id, study_instance_uid, series_instance_uid, after, opened_at, bulk_ae)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                decision.sequence,
                decision.transfer_id,
                row["study_instance_uid"],
                row["series_instance_uid"],
                json.dumps(decision.after),
                row["received_at"],
                row["calling_ae"] if self._bulk(row["calling_ae"]) else None,
            ),
        )

    def _join(self, journal: sqlite3.Connection, decision: Join) -> None:
        if not decision.after:
            return
        found = journal.execute(
            "SELECT after FROM series_transfer WHERE sequence = ?", (decision.sequence,)
        ).fetchone()
        after = dict.fromkeys([*json.loads(found["after"]), *decision.after])
        journal.execute(
            "UPDATE series_transfer SET after = ? WHERE sequence = ?",
            (json.dumps(list(after)), decision.sequence),
        )

    def _seal(self) -> bool:
        due: list[tuple[int, SealReason, bool]] = []
        if (now := self._monotonic()) < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        with self._ages.look() as age:
            for row in self._journal.execute(OPEN_PROGRESS).fetchall():
                progress = self._progress(row, age)
                reason = seal_reason(progress, self._rules)
                self._look_at = min(self._look_at, now + not_due_for(progress, self._rules))
                if reason is not None:
                    due.append((row["sequence"], reason, row["last_aborted_at"] is not None))
        if not due:
            return False
        with transaction(self._journal) as journal:
            for sequence, why, aborted in due:
                if not (why in WITHOUT_ARRIVALS and arriving(journal, sequence)):
                    self._write_seal(journal, sequence, why, aborted=aborted)
        return True

    def _progress(self, row: sqlite3.Row, age: Age) -> Progress:
        sender = self._settings.sender(row["calling_ae"])
        quiet = (
            (sender.series_quiet_seconds if sender else None)
            or self._settings.series_quiet_seconds
            or quiet_seconds(row["modality"])
        )
        sequence, aborted_at = row["sequence"], row["last_aborted_at"]
        aborts = (sequence, "aborts", row["aborts"])
        return Progress(
            age_seconds=age((sequence, "opened"), row["opened_at"]),
            since_received=age((sequence, "instance", row["last_instance"]), row["last_received_at"]),
            instances=row["instances"],
            bytes=row["bytes"],
            quiet_seconds=quiet,
            associations_open=bool(row["associations_open"]),
            since_aborted=None if aborted_at is None else age(aborts, aborted_at),
        )

    def _write_seal(
        self, journal: sqlite3.Connection, sequence: int, reason: SealReason, *, aborted: bool
    ) -> None:
        journal.execute(
            """UPDATE series_transfer SET sealed_at = ?, seal_reason = ?, aborted = ?
               WHERE sequence = ? AND sealed_at IS NULL""",
            (self._clock(), reason, aborted, sequence),
        )
        self._bulk_sittings.clear()  # its transfer may be closed now
        close(journal, sequence)
        row = journal.execute("SELECT * FROM series_transfer WHERE sequence = ?", (sequence,)).fetchone()
        carried = journal.execute(
            "SELECT DISTINCT association FROM instance WHERE sequence = ? LIMIT ?", (sequence, MAX_NAMED)
        ).fetchall()
        logs.info(
            "series sealed",
            correlation_id=correlation_id(row),
            associations=[found["association"] for found in carried],
            sequence=sequence,
            reason=reason,
            aborted=aborted,
        )
