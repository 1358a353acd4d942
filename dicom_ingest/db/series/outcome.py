"""How a series transfer ended: decided from counts, by one pure function (FAILED > PARTIAL > NON_PRIMARY)."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.contracts.messages.outcomes import Outcome


@dataclass(frozen=True)
class Counts:
    """`instances`: of the manifest, the missing included. `imported`: by the lines of the results.

    `scanned` and `counted`: scanned and imported as HealthImaging itself counts them.
    """

    instances: int
    scanned: int
    imported: int
    counted: int
    failed: int
    missing: int
    non_primary: int
    results_lost: bool = False

    @property
    def whole(self) -> bool:
        """Everything that was announced is in, by every count there is."""
        return self.instances == self.scanned == self.imported == self.counted


def decide(status: str, message: str | None, counts: Counts) -> tuple[Outcome, str | None]:
    """The outcome and, where a person should look, why. COMPLETED only if scanned = imported = ours."""
    if status == "GONE":
        return Outcome.UNKNOWN, "the import or its data store vanished while it ran"
    if counts.results_lost:
        return Outcome.UNKNOWN, "the import completed, but its results were never written"
    if 0 in (counts.counted, counts.imported):
        return Outcome.FAILED, message or _explain(counts)
    if status == "FAILED" or not counts.whole:
        return Outcome.PARTIAL, message or _explain(counts)
    if counts.non_primary:
        return Outcome.NON_PRIMARY, f"{counts.non_primary} of {counts.instances} in non-primary image sets"
    return Outcome.COMPLETED, None


def _explain(counts: Counts) -> str:
    parts = [f"{counts.imported} of {counts.instances} instances imported"]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    if counts.missing:
        parts.append(f"{counts.missing} missing")
    if counts.scanned != counts.instances:
        parts.append(f"HealthImaging scanned {counts.scanned}")
    if counts.counted != counts.imported:
        parts.append(f"HealthImaging counts {counts.counted} imported")
    return ", ".join(parts)
