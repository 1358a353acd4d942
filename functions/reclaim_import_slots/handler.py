"""ReclaimImportSlots: on a schedule and on status changes, settle what no execution watches any more."""

from __future__ import annotations

import time
from collections import Counter

from dicom_ingest import clients, executions, healthimaging
from dicom_ingest.contracts.steps import ReclaimImportSlotsReply, ReclaimImportSlotsRequest
from dicom_ingest.db import gate, import_slots, leftovers
from dicom_ingest.db.connection import database
from dicom_ingest.delivery import deliver
from dicom_ingest.metrics import count
from dicom_ingest.reclaim import Reclaimer
from dicom_ingest.settings import settings
from dicom_ingest.step import step

QUIET_SECONDS = 60
FULL_PASS_SECONDS = 6 * 3600


class Watch:
    """What this environment remembers, so that Aurora can sleep while there is nothing to do."""

    def __init__(self) -> None:
        self.found_live = True  # a cold start knows nothing
        self.looked_at = float("-inf")

    def must_look(self, told: bool) -> bool:
        """After a status change, while something is live or runs, and every sixth hour."""
        if told or self.found_live or time.monotonic() - self.looked_at > FULL_PASS_SECONDS:
            return True
        return executions.any_running(clients.stepfunctions(), settings().state_machine_arn)


watch = Watch()


def reclaim_import_slots(request: ReclaimImportSlotsRequest) -> ReclaimImportSlotsReply:
    """One pass: deliver what was never delivered, settle leftovers, probe a closed gate, grant.

    Raises:
        DatabaseAwayError, DatabaseConflictError, HealthImagingBusyError, DataStoreGateClosedError
    """
    datastore_id = settings().datastore_id
    if datastore_id is None or not watch.must_look(told=bool(request.Records)):
        return ReclaimImportSlotsReply(opened_database=False)
    with database().transaction() as connection:
        waiting = leftovers.undelivered(connection, datastore_id)
        found = leftovers.find(connection, datastore_id, QUIET_SECONDS)
        closed = gate.is_closed(connection, datastore_id)
    redelivered = deliver(database(), clients.stepfunctions(), datastore_id, waiting)
    if closed and healthimaging.is_well(clients.medical_imaging(), datastore_id):
        with database().transaction() as connection:
            gate.open_again(connection, datastore_id)
    settled = Counter(_reclaimer(datastore_id).settle(leftover) for leftover in found)
    with database().transaction() as connection:
        granted = import_slots.grant(connection, datastore_id)
    granted = deliver(database(), clients.stepfunctions(), datastore_id, granted)
    with database().transaction() as connection:
        watch.found_live = leftovers.anything_live(connection)
    watch.looked_at = time.monotonic()
    count("SlotsReclaimed", settled["freed"] + settled["recorded"])
    return ReclaimImportSlotsReply(
        opened_database=True,
        delivered=len(redelivered),
        freed=settled["freed"],
        recorded=settled["recorded"],
        granted=len(granted),
    )


def _reclaimer(datastore_id: str) -> Reclaimer:
    return Reclaimer(
        database=database(),
        stepfunctions=clients.stepfunctions(),
        medical_imaging=clients.medical_imaging(),
        s3=clients.s3(),
        datastore_id=datastore_id,
        bucket=settings().bucket,
    )


handler = step(reclaim_import_slots)
