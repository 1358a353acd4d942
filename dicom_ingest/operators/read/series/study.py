"""Read model: one study, all its series transfers and what operators did with them."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.steps import Step
from dicom_ingest.operators.read.state.attention import counted

MOST = 1000
_ACTIONS = """
SELECT a.at, a.who, a.action, a.reason, t.modality, t.series_instance_uid, s.series_description
FROM series_transfer t
CROSS JOIN LATERAL (
    SELECT at, who, action, reason FROM series_action WHERE series_transfer_pk = t.pk
    ORDER BY pk LIMIT 100) a
LEFT JOIN series s ON s.pk = t.series_pk
WHERE t.study_instance_uid = CAST(:study AS text)
"""


@dataclass(frozen=True)
class Study:
    """The series transfers by series, and the steps of all of them in their order."""

    rows: list[Row]
    steps: list[Step]


def study(index: Index, study_instance_uid: str) -> Study:
    """What the index has of a study; nothing is a study without rows."""
    rows = places(index, Filter(study=study_instance_uid), MOST, order="series")
    steps = [step for row in rows for step in _steps(row)]
    steps += [
        Step(f"{named(row)}: {row['action']} by {row['who']}", row["at"], row["reason"])
        for row in index.run(_ACTIONS, study=study_instance_uid)
    ]
    return Study(rows, sorted(steps, key=lambda step: step.at.timestamp() if step.at else 0.0))


def named(row: Row) -> str:
    """`CT Axial 5 mm`, or the UID where there is no description."""
    return f"{row['modality'] or '?'} {row['series_description'] or row['series_instance_uid']}"


def _steps(row: Row) -> list[Step]:
    name = named(row)
    steps = [
        Step(f"{name}: first received", row["first_received_at"], f"{row['calling_ae']} at {row['edge']}"),
        Step(f"{name}: sealed", row["sealed_at"], counted(row["instances"], "instance")),
        Step(f"{name}: import began", row["running_at"]),
        Step(f"{name}: {row['place']}", row["over_at"], row["detail"] or ""),
    ]
    return [step for step in steps if step.at is not None]
