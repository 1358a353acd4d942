"""What is not watched any more: tickets whose execution is gone, and series it left open.

It takes over as an execution would (a claim with a higher fence), so every write is the workflow's own.
It asks Step Functions and HealthImaging before it frees anything, and never frees on a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from dicom_ingest.contracts.messages.outcomes import Outcome, TicketState
from dicom_ingest.contracts.messages.steps import ImportState, SeriesTransferRef
from dicom_ingest.db.semaphore import bundles, leftovers, releasing
from dicom_ingest.db.semaphore.bundles import Ticket
from dicom_ingest.db.semaphore.leftovers import Leftover
from dicom_ingest.db.series import decisions, ending, imports
from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.healthimaging import imports as healthimaging
from dicom_ingest.healthimaging.imports import ImportOrder
from dicom_ingest.workflow import executions

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

GRACE_SECONDS = 180
"""Longer than any function of the workflow runs: a stopped execution does not stop its last Lambda."""


@dataclass(frozen=True)
class Settled:
    """``left``, ``freed``, ``released``, ``recorded``, ``handed over`` or ``dissolved``.

    `outcome`: where this pass decided it. `wake`: tickets that are to be delivered.
    """

    what: str
    outcome: Outcome | None = None
    wake: list[Ticket] = field(default_factory=list)


LEFT = Settled("left")


@dataclass(frozen=True)
class Reclaimer:
    """The clients and names that a pass needs."""

    database: Database
    stepfunctions: SFNClient
    medical_imaging: HealthImagingClient
    s3: S3Client
    bucket: str
    grace_seconds: float = GRACE_SECONDS

    def settle(self, leftover: Leftover) -> Settled:
        """Do what is certain about one leftover.

        Raises:
            HealthImagingBusyError, DataStoreGateClosedError, ResultsNotYetWrittenError,
            DatabaseAwayError, DatabaseConflictError
        """
        if executions.is_running(self.stepfunctions, leftover.owner_execution):
            if leftover.marked:
                with self.database.transaction() as connection:
                    leftovers.unmark(connection, leftover)
            return LEFT
        with self.database.transaction() as connection:
            aged = leftovers.mark(connection, leftover, self.grace_seconds)
        # A replay that took over, and is gone as well, has taken the outcome back: the import says it again.
        if leftover.import_over and (leftover.outcome is not None or leftover.import_id is None):
            return self._release(leftover)
        if leftover.import_id is not None:
            return self._record(leftover, leftover.import_id)  # its job decides, whatever a Lambda still does
        if not aged:
            return LEFT
        import_id = self._started(leftover)
        if import_id is not None:
            return self._record(leftover, import_id)
        return self._free(leftover) if leftover.bundle is None else self._let_another_lead(leftover)

    def _started(self, leftover: Leftover) -> str | None:
        """The import that its last StartImport may have started without being able to say so."""
        if leftover.state is not TicketState.STARTING or not leftover.job_name:
            return None
        order = ImportOrder(
            datastore_id=leftover.datastore_id,
            role_arn="",
            bucket=self.bucket,
            prefix=leftover.prefix,
            results_prefix=leftover.results_prefix or "",
            client_token=leftover.client_token or "",
            job_name=leftover.job_name,
        )
        found = healthimaging.find_started(self.medical_imaging, self.s3, order)
        if found is not None and leftover.ticket_id is not None:
            with self.database.transaction() as connection:
                imports.running(connection, leftover.ticket_id, order.client_token, found, "SUBMITTED")
        return found

    def _release(self, leftover: Leftover) -> Settled:
        """All is recorded; its execution ended before it gave the slot back."""
        with self.database.transaction() as connection:
            ref, me = self._take_over(connection, leftover)
            if ref is None:
                return LEFT
            if leftover.ticket_id is not None:
                ending.as_its_ticket_says(connection, leftover.ticket_id)
            releasing.release(connection, ref, me)
            ending.over(connection, ref, me)
        return Settled("released")

    def _free(self, leftover: Leftover) -> Settled:
        """No import was started: end ticket and series, saying so."""
        words = "its execution ended before an import was started; replay its event to try again"
        outcome = Outcome.FAILED if leftover.outcome is None else None
        with self.database.transaction() as connection:
            ref, me = self._take_over(connection, leftover)
            if ref is None:
                return LEFT
            if outcome is not None:
                ending.finish(connection, ref, me, outcome, detail=words, datastore_id=leftover.datastore_id)
            if leftover.ticket_id is not None:
                leftovers.cancel(connection, leftover.ticket_id, words)
            ending.over(connection, ref, me)
        return Settled("freed", outcome)

    def _let_another_lead(self, leftover: Leftover) -> Settled:
        """Of a bundle without an import another execution leads, or each ticket ends alone."""
        with self.database.transaction() as connection:
            if leftover.bundle is None or leftover.ticket_id is None:
                return LEFT
            if not leftovers.leads_orphaned(connection, leftover):
                return LEFT
            leader = bundles.hand_over(connection, leftover.bundle, leftover.ticket_id)
            if leader is not None:
                return Settled("handed over", wake=[leader])
            bundles.dissolve(connection, leftover.bundle)
        return Settled("dissolved")

    def _record(self, leftover: Leftover, import_id: str) -> Settled:
        """Record an import that ended unwatched, and give its slot back."""
        shares = leftover.bundle is not None and not leftover.shared_over
        known = ImportState(
            import_id=import_id, status="SUBMITTED", attempt=leftover.attempt, retried=not shares
        )
        state = healthimaging.examine(self.medical_imaging, self.s3, leftover.datastore_id, known)
        if state.status in ("SUBMITTED", "IN_PROGRESS"):
            return LEFT
        results = healthimaging.results_of(self.medical_imaging, self.s3, leftover.datastore_id, state)
        with self.database.transaction() as connection:
            ref, me = self._take_over(connection, leftover)
            if ref is None or leftover.ticket_id is None:
                return LEFT
            ticket = imports.attempt(connection, ref, me, leftover.ticket_id)
            retry = state.retry and ticket.leads
            if retry and decisions.next_attempt(connection, ticket, state, leftover.datastore_id, results):
                return Settled("dissolved", wake=bundles.to_wake(connection, ticket.bundle))
            said = decisions.record_import(connection, ref, me, ticket, leftover.datastore_id, state, results)
            releasing.release(connection, ref, me)
            ending.over(connection, ref, me)
            wake = bundles.to_wake(connection, ticket.bundle)
        return Settled("recorded", said.name, wake)

    def _take_over(self, connection: Connection, leftover: Leftover) -> tuple[SeriesTransferRef | None, str]:
        me = f"reclaim_import_slots/{uuid4()}"
        return leftovers.take_over(connection, leftover, me), me
