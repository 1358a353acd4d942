"""ReclaimImportSlots: on a schedule and on status changes, settle what no execution watches any more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dicom_ingest.contracts.messages.steps import ReclaimImportSlotsReply, ReclaimImportSlotsRequest
from dicom_ingest.contracts.platform.wiring import SERIES_OVER, SLOTS_RECLAIMED
from dicom_ingest.db.semaphore import gate, granting, leftovers
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore.leftovers import Leftover
from dicom_ingest.db.server.connection import database
from dicom_ingest.healthimaging import imports as healthimaging
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import logger, step
from dicom_ingest.upkeep.reclaim import LEFT, Reclaimer, Settled
from dicom_ingest.workflow import again, executions
from dicom_ingest.workflow.delivery import deliver, tell_cancelled
from dicom_ingest.workflow.metrics import count, gauge_queue

QUIET_SECONDS = 60
FULL_PASS_SECONDS = 6 * 3600
PASS_SECONDS = 120
"""A pass settles leftovers for so long, of the function's 300 s; the next pass goes on where it stopped."""


class Watch:
    """What this environment remembers, so that Aurora can sleep while there is nothing to do."""

    def __init__(self) -> None:
        self.found_live = True  # a cold start knows nothing
        self.looked_at = float("-inf")
        self.stopped_after = 0
        """Where the last pass ran out of time: what is slow to settle must not hide what comes after it."""

    def must_look(self, now: float, told: bool, anything_runs: Callable[[], bool]) -> bool:
        """After a status change, while something is live or runs, and every sixth hour."""
        return told or self.found_live or now - self.looked_at > FULL_PASS_SECONDS or anything_runs()


watch = Watch()


def reclaim_import_slots(request: ReclaimImportSlotsRequest) -> ReclaimImportSlotsReply:
    """One pass: tell what was never told, settle leftovers, probe a closed gate, grant, and report.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    datastore_id = settings().datastore_id
    told = bool(request.Records)
    if datastore_id is None or not watch.must_look(time.monotonic(), told, _anything_runs):
        return ReclaimImportSlotsReply(opened_database=False)
    watch.found_live = True  # until this pass has seen that nothing is
    with leftovers.only_pass(database()) as alone:
        return _pass(datastore_id) if alone else ReclaimImportSlotsReply(opened_database=True)


def _pass(datastore_id: str) -> ReclaimImportSlotsReply:
    done: Counter[str] = Counter()
    with _isolated(done, "cancellations not told"):
        tell_cancelled(database(), clients.stepfunctions())
    with _isolated(done, "grants not delivered again"):
        with database().transaction() as connection:
            waiting = leftovers.undelivered(connection)
        done["delivered"] = len(deliver(database(), clients.stepfunctions(), datastore_id, waiting))
    with _isolated(done, "leftovers not looked for"):
        _settle_all(datastore_id, done)
    with _isolated(done, "transfers not queued again"):
        again.start(database(), clients.stepfunctions(), settings().state_machine_arn)
    with _isolated(done, "gate not probed"):
        _probe(datastore_id)
    with database().transaction() as connection:
        granted = granting.grant(connection, datastore_id)
        watch.found_live = leftovers.anything_live(connection)
        pressure = queue.pressure(connection, datastore_id)
    freed = done["freed"] + done["released"]
    gauge_queue(pressure, done["troubled"])
    count(SLOTS_RECLAIMED, freed + done["recorded"])
    watch.looked_at = time.monotonic()
    granted = deliver(database(), clients.stepfunctions(), datastore_id, granted)
    return ReclaimImportSlotsReply(
        opened_database=True,
        delivered=done["delivered"],
        freed=freed,
        recorded=done["recorded"],
        troubled=done["troubled"],
        granted=len(granted),
    )


def _anything_runs() -> bool:
    return executions.anything_to_settle(clients.stepfunctions(), settings().state_machine_arn)


@contextmanager
def _isolated(done: Counter[str], words: str, correlation_id: str | None = None) -> Iterator[None]:
    """What goes wrong here is said and counted; what comes after it is done all the same."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - one row that cannot be read must not stop all others for ever
        known = {"correlation_id": correlation_id} if correlation_id else {}
        logger.warning(words, extra={"error": f"{type(error).__name__}: {error}", **known})
        done["troubled"] += 1


def _settle_all(datastore_id: str, done: Counter[str]) -> None:
    reclaimer = Reclaimer(
        database=database(),
        stepfunctions=clients.stepfunctions(),
        medical_imaging=clients.medical_imaging(),
        s3=clients.s3(),
        bucket=settings().bucket,
    )
    for leftover in _leftovers(datastore_id):
        settled = _settle(reclaimer, leftover)
        done[settled.what] += 1
        deliver(database(), clients.stepfunctions(), datastore_id, settled.wake)
        if settled.outcome is not None:
            count(SERIES_OVER, outcome=settled.outcome.value, correlation_id=leftover.correlation_id)


def _settle(reclaimer: Reclaimer, leftover: Leftover) -> Settled:
    """One that cannot be settled now must not stop the others, whatever is wrong with it."""
    done: Counter[str] = Counter()
    settled = Settled("troubled")
    with _isolated(done, "leftover not settled", correlation_id=leftover.correlation_id):
        settled = reclaimer.settle(leftover)
        if settled is not LEFT:
            logger.info("leftover settled", correlation_id=leftover.correlation_id, what=settled.what)
    return settled


def _leftovers(datastore_id: str) -> Iterator[Leftover]:
    """All of them, page by page, while there is time; then the next pass goes on from there."""
    deadline = time.monotonic() + PASS_SECONDS
    after = watch.stopped_after
    while True:
        with database().transaction() as connection:
            page = leftovers.find(connection, datastore_id, QUIET_SECONDS, after)
        if not page:
            watch.stopped_after = 0
            return
        for leftover in page:
            if time.monotonic() > deadline:
                return
            watch.stopped_after = after = leftover.series_transfer_pk
            yield leftover


def _probe(datastore_id: str) -> None:
    """Open a closed gate when the data store is well, unless executions that hold slots try starts anyway."""
    with database().transaction() as connection:
        if not gate.needs_probe(connection, datastore_id):
            return
    if healthimaging.is_well(clients.medical_imaging(), datastore_id):
        with database().transaction() as connection:
            gate.probed(connection, datastore_id)


handler = step(reclaim_import_slots)
