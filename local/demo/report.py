"""What a demo found: per series, in total, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from dicom_ingest.contracts.messages.outcomes import Outcome
from local.sending.dicom_folder import DicomFolder
from local.sending.sender import Sent


class SeriesReport(BaseModel):
    """One series transfer. `seconds`: from its first instance at the edge to its outcome."""

    transfer_id: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str | None
    instances: int
    outcome: str
    outcome_detail: str | None
    image_sets: list[str]
    execution_arn: str | None
    seconds: float | None


class Totals(BaseModel):
    """Sums over the run."""

    files: int
    files_not_sent: int
    instances_sent: int
    instances_refused: int
    instances_imported: int
    associations: int
    series: int
    series_transfers: int
    image_sets: int
    seconds: float


class NotSent(BaseModel):
    """A file that was not sent, or was refused."""

    path: str
    reason: str


class Report(BaseModel):
    """The demo's result as data. `missing` is empty when every instance is in an image set."""

    series: list[SeriesReport]
    totals: Totals
    not_sent: list[NotSent]
    missing: list[str]


def build(folder: DicomFolder, sent: Sent, rows: Sequence[dict[str, Any]], seconds: float) -> Report:
    """Compare what was sent with what the index says (`index_queries.series_transfers`)."""
    series = [SeriesReport.model_validate(row) for row in rows]
    imported = {uid for row in rows for uid in row["imported"]}
    refused = [NotSent(path=str(file.path), reason=reason) for file, reason in sent.refused]
    others = [NotSent(path=str(other.path), reason=other.reason) for other in folder.others]
    return Report(
        series=series,
        totals=Totals(
            files=len(folder.instances) + len(folder.others),
            files_not_sent=len(folder.others),
            instances_sent=len(sent.accepted),
            instances_refused=len(sent.refused),
            instances_imported=len(imported),
            associations=sent.associations,
            series=len({file.series_instance_uid for file in sent.accepted}),
            series_transfers=len(series),
            image_sets=len({each for row in series for each in row.image_sets}),
            seconds=round(seconds, 1),
        ),
        not_sent=others + refused,
        missing=_missing(sent, series, imported),
    )


def _missing(sent: Sent, series: Sequence[SeriesReport], imported: set[str]) -> list[str]:
    """A sentence for everything that was accepted or offered and is not in an image set."""
    found = [f"refused: {file.path}: {reason}" for file, reason in sent.refused]
    indexed_only = {each.series_instance_uid for each in series if each.outcome == Outcome.INDEXED.value}
    for uid in dict.fromkeys(file.series_instance_uid for file in sent.accepted):
        wanted = {file.sop_instance_uid for file in sent.accepted if file.series_instance_uid == uid}
        places = {each.outcome or "not over" for each in series if each.series_instance_uid == uid}
        lost = len(wanted - imported)
        if lost and uid not in indexed_only:
            where = ", ".join(sorted(places)) or "not in the index"
            found.append(f"series {uid}: {lost} of {len(wanted)} instances are not imported ({where})")
    return found
