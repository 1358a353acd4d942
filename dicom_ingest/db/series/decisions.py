"""What the workflow decides in one transaction of the index: import needed? how did it end?"""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.contracts.outcomes import Outcome
from dicom_ingest.contracts.steps import ImportState, OutcomeState, SeriesTransferRef
from dicom_ingest.db.index.write import Indexed
from dicom_ingest.db.series import image_sets, imports
from dicom_ingest.db.series import transfers as series_transfers
from dicom_ingest.db.series.outcome import Counts, decide
from dicom_ingest.db.series.transfers import Claim
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.healthimaging.results import ImportResults


@dataclass(frozen=True)
class Need:
    """No outcome: an import is needed, for this reason."""

    reason: str
    outcome: OutcomeState | None = None


def import_need(
    connection: Connection,
    claim: Claim,
    ref: SeriesTransferRef,
    execution: str,
    datastore_id: str | None,
    indexed: Indexed,
    force: str | None,
) -> Need:
    """Whether an import is needed; where not, the outcome is written and the claim is free again.

    `force`: the name of a replay that imports again whatever is held already, once per name.
    """
    if datastore_id is None:
        return _settled(
            connection, ref, execution, None, Outcome.INDEXED, "importing is switched off", indexed
        )
    if series_transfers.has_live_ticket(connection, claim.pk, datastore_id):
        series_transfers.under_way(connection, ref, execution)
        return Need("an import of it is under way already")
    if indexed.present == 0:
        words = "none of its instances is in S3"
        return _settled(connection, ref, execution, datastore_id, Outcome.FAILED, words, indexed)
    if force is not None and series_transfers.force(connection, claim.pk, force, execution):
        series_transfers.under_way(connection, ref, execution)
        return Need(f"forced by replay {force}")
    outcome = imports.held(connection, claim.pk, datastore_id).outcome
    if outcome is None:
        series_transfers.under_way(connection, ref, execution)
        return Need("not in the data store yet")
    image_sets.record_not_imported(connection, claim.pk, datastore_id, outcome)
    words = (
        "the data store holds the same bytes" if outcome is Outcome.DUPLICATE else "a newer version is held"
    )
    return _settled(connection, ref, execution, datastore_id, outcome, words, indexed, keep=claim.outcome)


KEPT = frozenset({Outcome.COMPLETED, Outcome.NON_PRIMARY, Outcome.PARTIAL})
"""A replay of what was imported says DUPLICATE of itself and leaves the transfer's own outcome alone."""


def _settled(
    connection: Connection,
    ref: SeriesTransferRef,
    execution: str,
    datastore_id: str | None,
    outcome: Outcome,
    words: str,
    indexed: Indexed,
    keep: Outcome | None = None,
) -> Need:
    if keep not in KEPT:
        series_transfers.finish(connection, ref, execution, outcome, detail=words, datastore_id=datastore_id)
    series_transfers.over(connection, ref, execution)
    return Need(words, OutcomeState(name=outcome, detail=words, instances=indexed.instances))


def record_import(
    connection: Connection,
    ref: SeriesTransferRef,
    execution: str,
    ticket: imports.Ticket,
    datastore_id: str,
    state: ImportState,
    results: ImportResults,
) -> OutcomeState:
    """Write image sets, verdicts and the outcome of an import that is over.

    Raises:
        ClaimLostError: another execution owns the series transfer by now.
    """
    pk = ticket.series_transfer_pk
    if results.image_sets:
        image_sets.record_image_sets(connection, pk, ticket.pk, datastore_id, results.image_sets)
    counted = image_sets.record_verdicts(connection, pk, datastore_id, results.instances)
    if results.unnamed and results.scanned == counted["instances"] - counted["missing"]:
        counted = image_sets.record_unnamed(connection, pk, datastore_id, results.image_sets)
    outcome, detail = decide(
        state.status,
        state.message,
        Counts(
            instances=counted["instances"],
            scanned=results.scanned,
            imported=counted["imported"],
            failed=counted["failed"],
            missing=counted["missing"],
            non_primary=counted["non_primary"],
            results_lost=results.lost,
        ),
    )
    if counted["non_primary"]:
        why = image_sets.conflict(connection, pk, datastore_id)
        detail = "; ".join(words for words in (detail, why) if words) or None
    numbers = {"scanned": results.scanned} | {n: counted[n] for n in ("imported", "failed", "warned")}
    series_transfers.finish(
        connection, ref, execution, outcome, detail=detail, datastore_id=datastore_id, counts=numbers
    )
    imports.import_over(connection, ticket.pk, state.status, outcome, detail)
    return OutcomeState(
        name=outcome,
        detail=detail,
        instances=counted["instances"],
        image_set_ids=[image_set.image_set_id for image_set in results.image_sets][:10],
        **numbers,
    )


def record_not_needed(
    connection: Connection, ref: SeriesTransferRef, execution: str, ticket: imports.Ticket, datastore_id: str
) -> OutcomeState:
    """Write that nothing had to be imported after all: held unchanged, or in a newer version."""
    outcome = imports.held(connection, ticket.series_transfer_pk, datastore_id).outcome or Outcome.DUPLICATE
    image_sets.record_not_imported(connection, ticket.series_transfer_pk, datastore_id, outcome)
    series_transfers.finish(connection, ref, execution, outcome, datastore_id=datastore_id)
    imports.import_over(connection, ticket.pk, "NOT_NEEDED", outcome, None)
    counted = image_sets.counts(connection, ticket.series_transfer_pk)
    return OutcomeState(name=outcome, instances=counted["instances"])
