"""ReclaimImportSlots: on a schedule and on status changes, settle what no execution watches any more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from dicom_ingest.contracts.steps import ReclaimImportSlotsReply, ReclaimImportSlotsRequest
from dicom_ingest.contracts.wiring import SERIES_OVER, SLOTS_RECLAIMED
from dicom_ingest.db.semaphore import gate, leftovers
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore import tickets as import_slots
from dicom_ingest.db.semaphore.leftovers import Leftover
from dicom_ingest.db.server.connection import database
from dicom_ingest.errors import HealthImagingBusyError, IngestError
from dicom_ingest.healthimaging import imports as healthimaging
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import logger, step
from dicom_ingest.upkeep.reclaim import LEFT, Reclaimer, Settled
from dicom_ingest.workflow import executions
from dicom_ingest.workflow.delivery import deliver, tell_cancelled
from dicom_ingest.workflow.metrics import count, gauge_queue

QUIET_SECONDS = 60
FULL_PASS_SECONDS = 6 * 3600
PASS_SECONDS = 200
"""A pass stops looking for more after this long: the function has 300 s, and the next pass goes on."""


class Watch:
    """What this environment remembers, so that Aurora can sleep while there is nothing to do."""

    def __init__(self) -> None:
        self.found_live = True  # a cold start knows nothing
        self.looked_at = float("-inf")

    def must_look(self, now: float, told: bool, anything_runs: Callable[[], bool]) -> bool:
        """After a status change, while something is live or runs, and every sixth hour."""
        return told or self.found_live or now - self.looked_at > FULL_PASS_SECONDS or anything_runs()


watch = Watch()


def reclaim_import_slots(request: ReclaimImportSlotsRequest) -> ReclaimImportSlotsReply:
    """One pass: tell what was never told, settle leftovers, probe a closed gate, grant.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    datastore_id = settings().datastore_id
    told = bool(request.Records)
    if datastore_id is None or not watch.must_look(time.monotonic(), told, _anything_runs):
        return ReclaimImportSlotsReply(opened_database=False)
    tell_cancelled(database(), clients.stepfunctions())
    with database().transaction() as connection:
        waiting = leftovers.undelivered(connection)
    redelivered = deliver(database(), clients.stepfunctions(), datastore_id, waiting)
    settled = _settle_all(datastore_id)
    _probe(datastore_id)
    with database().transaction() as connection:
        granted = import_slots.grant(connection, datastore_id)
    granted = deliver(database(), clients.stepfunctions(), datastore_id, granted)
    with database().transaction() as connection:
        watch.found_live = leftovers.anything_live(connection)
        gauge_queue(queue.pressure(connection, datastore_id))
    watch.looked_at = time.monotonic()
    count(SLOTS_RECLAIMED, settled["freed"] + settled["released"] + settled["recorded"])
    return ReclaimImportSlotsReply(
        opened_database=True,
        delivered=len(redelivered),
        freed=settled["freed"] + settled["released"],
        recorded=settled["recorded"],
        troubled=settled["troubled"],
        granted=len(granted),
    )


def _anything_runs() -> bool:
    return executions.any_running(clients.stepfunctions(), settings().state_machine_arn)


def _settle_all(datastore_id: str) -> Counter[str]:
    reclaimer = Reclaimer(
        database=database(),
        stepfunctions=clients.stepfunctions(),
        medical_imaging=clients.medical_imaging(),
        s3=clients.s3(),
        bucket=settings().bucket,
    )
    done: Counter[str] = Counter()
    for leftover in _leftovers(datastore_id):
        settled = _settle(reclaimer, leftover)
        done[settled.what] += 1
        if settled.outcome is not None:
            count(SERIES_OVER, outcome=settled.outcome.value, correlation_id=leftover.correlation_id)
    return done


def _settle(reclaimer: Reclaimer, leftover: Leftover) -> Settled:
    """One that cannot be settled now must not stop the others."""
    try:
        settled = reclaimer.settle(leftover)
    except IngestError as error:
        logger.warning(
            "leftover not settled",
            correlation_id=leftover.correlation_id,
            error=f"{type(error).__name__}: {error}",
        )
        return Settled("troubled")
    if settled is not LEFT:
        logger.info("leftover settled", correlation_id=leftover.correlation_id, what=settled.what)
    return settled


def _leftovers(datastore_id: str) -> Iterator[Leftover]:
    """All of them, page by page, while there is time."""
    after, deadline = 0, time.monotonic() + PASS_SECONDS
    while time.monotonic() < deadline:
        with database().transaction() as connection:
            page = leftovers.find(connection, datastore_id, QUIET_SECONDS, after)
        if not page:
            return
        yield from page
        after = page[-1].series_transfer_pk


def _probe(datastore_id: str) -> None:
    """Open a closed gate when the data store is well, unless executions that hold slots try starts anyway."""
    with database().transaction() as connection:
        if not gate.needs_probe(connection, datastore_id):
            return
    try:
        well = healthimaging.is_well(clients.medical_imaging(), datastore_id)
    except HealthImagingBusyError as error:
        logger.warning("gate not probed", error=str(error))
        return
    if well:
        with database().transaction() as connection:
            gate.open_again(connection, datastore_id)


handler = step(reclaim_import_slots)
