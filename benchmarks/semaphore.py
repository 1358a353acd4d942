"""The import semaphore under a backlog: thousands wait, 100 slots, one start a second, a simulated clock.

Real PostgreSQL and the functions' own code; only the clock and the imports' lengths are made up.
"""

from __future__ import annotations

import heapq
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

from rich.console import Console

from benchmarks.functions.series import BenchSeries
from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.steps import SemaphoreSettings, SeriesTransferRef
from dicom_ingest.db.semaphore import granting, queueing, releasing
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.series import registering
from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.db.server.migrate import migrate
from local.postgres.databases import create_database
from local.postgres.server import Postgres

WAITING, CAPACITY, RATE = 20_000, 100, 1.0
RELEASES, RELEASES_FULL = 1_500, 20_000
ACQUIRES = 300
SAME_SERIES = 50
"""Every so many tickets belong to one series: its parts must follow each other."""
IMPORT_SECONDS = (30.0, 600.0)
DATASTORE = "bench"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)

_BACKLOG = """
INSERT INTO series_transfer (pk, transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge,
    sequence, priority, bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes,
    calling_ae, called_ae, aborted, seal_reason, first_received_at, last_received_at, sealed_at, announced_at,
    owner_execution, fence)
OVERRIDING SYSTEM VALUE
SELECT 1000 + n, gen_random_uuid(), '2.25.' || CASE WHEN n % :same = 0 THEN 7 ELSE 1000 + n END,
    study_instance_uid, correlation_id, edge, sequence, n % 2, bucket, prefix, manifest_key, manifest_sha256,
    instance_count, total_bytes, calling_ae, called_ae, aborted, seal_reason, first_received_at,
    last_received_at, sealed_at, announced_at, 'execution-' || n, 1
FROM series_transfer t, generate_series(1, :waiting) n
"""
_QUEUE = """
INSERT INTO ahlijob (datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority,
    owner_execution, fence, task_token, attempt)
SELECT :datastore, pk, transfer_id, series_instance_uid, priority, owner_execution, fence,
    CAST(pk AS text) AS task_token, 1
FROM series_transfer WHERE pk > 1000 ORDER BY pk
"""
_HOLDERS = """
SELECT count(*) AS holders, count(DISTINCT series_instance_uid) AS series FROM ahlijob
WHERE holds_slot
"""
_WHO = """
SELECT t.transfer_id::text, t.series_instance_uid, t.priority, t.correlation_id FROM ahlijob j
JOIN series_transfer t ON t.pk = j.series_transfer_pk WHERE j.pk = :pk
"""


@dataclass
class Findings:
    """What the rules say must be zero, and what it cost."""

    over_capacity: int = 0
    out_of_order: int = 0
    series_twice: int = 0
    idle_slots: int = 0
    filled: bool = False
    started_too_early: int = 0
    release_ms: list[float] = field(default_factory=list)
    acquire_ms: list[float] = field(default_factory=list)
    grants: int = 0


def run(*, full: bool = False) -> dict[str, Any]:
    """Let the backlog drain."""
    releases = RELEASES_FULL if full else RELEASES
    with Postgres() as server:
        database = Database(create_database(server.admin_url, "semaphore"))
        migrate(database)
        with database.transaction() as connection:
            _queue_up(connection)
        findings, simulated = _drain(database, releases)
        database.close()
    figures = _figures(findings, releases, simulated)
    Console().print(figures)
    return figures


def _queue_up(connection: Connection) -> None:
    queueing.configure(
        connection,
        SemaphoreSettings(datastore_id=DATASTORE, capacity=CAPACITY, start_rate=RATE, start_burst=1),
    )
    envelope = BenchSeries(1).envelope()
    registering.register(
        connection, SeriesComplete.model_validate(envelope["detail"]), "2026-11-22T08:02:00Z"
    )
    connection.run(_BACKLOG, waiting=WAITING + ACQUIRES, same=SAME_SERIES)
    connection.run(_QUEUE, datastore=DATASTORE)
    # The last ones are not in the queue yet: they will be timed.
    connection.run("DELETE FROM ahlijob WHERE series_transfer_pk > :last", last=1000 + WAITING)
    connection.run("ANALYZE")


def _drain(database: Database, releases: int) -> tuple[Findings, timedelta]:
    findings, lengths = Findings(), random.Random(7)  # noqa: S311 - the same run every time
    now, ends, order = NOON, list[tuple[datetime, int, Ticket | None]](), dict[int, int]()
    starts: list[datetime] = []

    def granted(tickets: list[Ticket], connection: Connection) -> None:
        for ticket in tickets:
            findings.grants += 1
            starts.append(_begin(ticket, connection, findings, order, ends, lengths))
            heapq.heappush(ends, (starts[-1], -ticket.pk, None))  # StartImport runs the grant step

    with database.transaction() as connection:
        granted(granting.grant(connection, DATASTORE, now), connection)
    for number in range(releases):
        if number < ACQUIRES:
            _acquire(database, number, now, findings)
        now, _, ticket = heapq.heappop(ends)
        while ticket is None:
            with database.transaction() as connection:
                granted(granting.grant(connection, DATASTORE, now), connection)
            now, _, ticket = heapq.heappop(ends)
        began = time.perf_counter()
        with database.transaction() as connection:
            releasing.release(connection, _reference(connection, ticket), ticket.owner_execution)
            tickets = granting.grant(connection, DATASTORE, now)
        findings.release_ms.append(1000 * (time.perf_counter() - began))
        with database.transaction() as connection:
            granted(tickets, connection)
            _check(connection, findings)
    starts.sort()
    early = [a for a, b in pairwise(starts) if (b - a).total_seconds() < 1 / RATE]
    findings.started_too_early = len(early)
    return findings, now - NOON


def _begin(
    ticket: Ticket,
    connection: Connection,
    findings: Findings,
    order: dict[int, int],
    ends: list[tuple[datetime, int, Ticket | None]],
    lengths: random.Random,
) -> datetime:
    """The import runs from its start for a while; was it its turn?"""
    who = connection.one(_WHO, pk=ticket.pk)
    if who is None or ticket.start_at is None:
        raise AssertionError("a grant without a ticket or a start")
    # Parts of the one series wait for each other and are overtaken: that is the rule.
    if who["series_instance_uid"] != "2.25.7":
        findings.out_of_order += ticket.pk < order.get(who["priority"], 0)
        order[who["priority"]] = ticket.pk
    heapq.heappush(
        ends, (ticket.start_at + timedelta(seconds=lengths.uniform(*IMPORT_SECONDS)), ticket.pk, ticket)
    )
    return ticket.start_at


def _check(connection: Connection, findings: Findings) -> None:
    row = connection.one(_HOLDERS) or {}
    waiting = connection.one("SELECT count(*) AS n FROM ahlijob WHERE state = 'WAITING'") or {}
    findings.over_capacity += row["holders"] > CAPACITY
    findings.series_twice += row["series"] != row["holders"]
    findings.filled = findings.filled or row["holders"] == CAPACITY  # at first at the pace of the starts
    idle = findings.filled and row["holders"] < CAPACITY
    findings.idle_slots += idle and waiting["n"] > WAITING // SAME_SERIES


def _acquire(database: Database, number: int, now: datetime, findings: Findings) -> None:
    with database.transaction() as connection:
        row = connection.one(
            "SELECT transfer_id::text, series_instance_uid, correlation_id, owner_execution "
            "FROM series_transfer WHERE pk = :pk",
            pk=1001 + WAITING + number,
        )
    if row is None:
        raise AssertionError("the backlog is shorter than it should be")
    execution = row.pop("owner_execution")
    began = time.perf_counter()
    with database.transaction() as connection:
        ref = SeriesTransferRef(**row, fence=1)
        queueing.acquire(connection, ref, execution, DATASTORE, Token(f"token-{number}"))
        granting.grant(connection, DATASTORE, now)
    findings.acquire_ms.append(1000 * (time.perf_counter() - began))


def _reference(connection: Connection, ticket: Ticket) -> SeriesTransferRef:
    who = connection.one(_WHO, pk=ticket.pk)
    if who is None:
        raise AssertionError("a ticket without a series transfer")
    del who["priority"]
    return SeriesTransferRef(**who, fence=ticket.fence)


def _figures(findings: Findings, releases: int, simulated: timedelta) -> dict[str, Any]:
    def spread(values: list[float]) -> dict[str, float]:
        return {"median": round(median(values), 2), "p99": round(quantiles(values, n=100)[98], 2)}

    wrong = ("over_capacity", "out_of_order", "series_twice", "idle_slots", "started_too_early")
    return {
        "waiting": WAITING,
        "capacity": CAPACITY,
        "starts_per_second_allowed": RATE,
        "releases": releases,
        "violations": {name: getattr(findings, name) for name in wrong},
        "grants": findings.grants,
        "simulated_hours": round(simulated.total_seconds() / 3600, 2),
        "starts_per_simulated_second": round(releases / simulated.total_seconds(), 3),
        "releases_per_second_of_one_connection": round(1000 / median(findings.release_ms)),
        "release_ms": spread(findings.release_ms),
        "acquire_ms": spread(findings.acquire_ms),
    }
