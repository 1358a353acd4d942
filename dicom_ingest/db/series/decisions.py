"""What the workflow decides in one transaction of the index: import needed? how did it end?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import ImportState, OutcomeState, SeriesTransferRef
from dicom_ingest.db.index.write import Indexed
from dicom_ingest.db.semaphore import bundles, gate
from dicom_ingest.db.series import claiming, ending, image_sets, imports
from dicom_ingest.db.series.claiming import Claim
from dicom_ingest.db.series.held import held, overlaid, record_held
from dicom_ingest.db.series.imports import Attempt
from dicom_ingest.db.series.outcome import Counts, decide
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
    settled = partial(_settled, connection, ref, execution, datastore_id, indexed, claim.outcome)
    if datastore_id is None:
        return settled(Outcome.INDEXED, "importing is switched off")
    forced = force is not None and claiming.force(connection, claim, force, execution)
    if claiming.has_live_ticket(connection, claim.pk):
        ending.under_way(connection, ref, execution)
        return Need("an import of it is under way already")
    if indexed.present == 0:
        return settled(Outcome.FAILED, "none of its instances is in S3")
    known = held(connection, claim.pk, datastore_id)
    if forced or known.outcome is None:
        ending.under_way(connection, ref, execution)
        return Need(f"forced by replay {force}" if forced else "not in the data store yet")
    record_held(connection, claim.pk, datastore_id)
    return settled(known.outcome, known.words)


KEPT = frozenset({Outcome.COMPLETED, Outcome.NON_PRIMARY, Outcome.PARTIAL})
"""A replay of what was imported says of itself what it found and leaves the transfer's own outcome alone."""


def _settled(
    connection: Connection,
    ref: SeriesTransferRef,
    execution: str,
    datastore_id: str | None,
    indexed: Indexed,
    before: Outcome | None,
    outcome: Outcome,
    words: str,
) -> Need:
    said = OutcomeState(name=outcome, detail=words, instances=indexed.instances)
    if before not in KEPT:
        ending.finish(connection, ref, execution, outcome, detail=words, datastore_id=datastore_id)
    ending.over(connection, ref, execution, said)
    return Need(words, said)


def record_import(
    connection: Connection,
    ref: SeriesTransferRef,
    execution: str,
    ticket: Attempt,
    datastore_id: str,
    state: ImportState,
    results: ImportResults,
) -> OutcomeState:
    """Write image sets, verdicts and the outcome of an import that is over.

    Raises:
        ClaimLostError: another execution owns the series transfer by now.
    """
    pk = ticket.series_transfer_pk
    unexplained = None
    if ticket.bundle is not None:
        if ticket.leads:
            unexplained = _shared(connection, ticket.bundle, state, results)
        results = results.of_series(ref.series_instance_uid, image_sets.expected(connection, pk))
    image_sets.record_image_sets(connection, pk, ticket.pk, datastore_id, results.image_sets)
    counted = image_sets.record_verdicts(connection, pk, ticket.pk, datastore_id, results)
    outcome, detail = decide(
        state.status,
        state.message,
        Counts(
            instances=counted["instances"],
            scanned=results.scanned,
            imported=counted["imported"],
            counted=results.imported,
            failed=counted["failed"],
            missing=counted["missing"],
            non_primary=counted["non_primary"],
            results_lost=results.lost,
        ),
    )
    words = [detail, unexplained]
    if counted["non_primary"]:
        words.append(image_sets.conflict(connection, pk, datastore_id))
    if results.imported:
        gate.imported(connection, datastore_id)
        words.append(_overlaid(connection, pk, ticket.pk, datastore_id))
    detail = "; ".join(each for each in words if each) or None
    numbers = {"scanned": results.scanned} | {n: counted[n] for n in ("imported", "failed", "warned")}
    ending.finish(
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


def _shared(connection: Connection, bundle: int, state: ImportState, results: ImportResults) -> str | None:
    """Write down for all of a bundle that its import is over; where its counts and its lines differ, how."""
    members = bundles.members(connection, bundle)
    bundles.over(connection, bundle, state, results.uri)
    each = [results.of_series(member.series_instance_uid, member.instances) for member in members]
    by_lines = (sum(one.scanned for one in each), sum(one.imported for one in each))
    if state.status == "GONE" or results.lost or by_lines == (results.scanned, results.imported):
        return None
    if results.server_errors:  # series that were not whole have left the bundle
        return None
    return (
        f"the import that {len(members)} series share says that it scanned {results.scanned} and imported "
        f"{results.imported}; by the lines of its series these are {by_lines[0]} and {by_lines[1]}"
    )


def next_attempt(
    connection: Connection, ticket: Attempt, ended: ImportState, datastore_id: str, results: ImportResults
) -> bool:
    """Queue for another attempt; False where there was one, or the series is whole in a shared import.

    What the failed import made is noted.
    """
    if ticket.bundle is not None:
        return _next_attempts(connection, ticket, ticket.bundle, ended, datastore_id, results)
    if not imports.next_attempt(connection, ticket, ended, datastore_id):
        return False
    image_sets.record_image_sets(
        connection, ticket.series_transfer_pk, ticket.pk, ticket.datastore_id, results.image_sets
    )
    return True


def _next_attempts(
    connection: Connection,
    ticket: Attempt,
    bundle: int,
    ended: ImportState,
    datastore_id: str,
    results: ImportResults,
) -> bool:
    """The series that are not whole queue again, each alone; of the others the import is over."""
    parts = [
        (member, results.of_series(member.series_instance_uid, member.instances))
        for member in bundles.members(connection, bundle)
    ]
    failed = [
        (member, part)
        for member, part in parts
        if ended.status == "FAILED" or not part.scanned == part.imported == member.instances
    ]
    pks = [member.pk for member, _ in failed]
    if pks:
        imports.next_attempt(connection, ticket, ended, datastore_id, pks)
    bundles.over(connection, bundle, ended, results.uri)
    for member, part in failed:
        image_sets.record_image_sets(
            connection, member.series_transfer_pk, member.pk, ticket.datastore_id, part.image_sets
        )
    return ticket.pk in pks


def bundle_is_held(connection: Connection, ticket: Attempt) -> bool:
    """Whether the data store has got all of a series of this bundle since it queued: it must not go twice."""
    return ticket.bundle is not None and any(
        member.seen_before
        and held(connection, member.series_transfer_pk, ticket.datastore_id).outcome is not None
        for member in bundles.members(connection, ticket.bundle)
    )


def _overlaid(connection: Connection, pk: int, ticket: int, datastore_id: str) -> str | None:
    """What is said of newer versions that this import covered."""
    newer = overlaid(connection, pk, ticket, datastore_id)
    if not newer:
        return None
    return f"it replaced newer versions, so transfer {', '.join(newer[:3])} is queued again behind it"


def record_not_needed(
    connection: Connection, ref: SeriesTransferRef, execution: str, ticket: Attempt, datastore_id: str
) -> OutcomeState | None:
    """Write that nothing has to be imported after all; None where something has."""
    known = held(connection, ticket.series_transfer_pk, datastore_id)
    if known.outcome is None:
        return None
    record_held(connection, ticket.series_transfer_pk, datastore_id)
    ending.finish(connection, ref, execution, known.outcome, detail=known.words, datastore_id=datastore_id)
    imports.import_over(connection, ticket.pk, "NOT_NEEDED", known.outcome, known.words)
    return OutcomeState(name=known.outcome, detail=known.words, instances=known.instances + known.missing)
