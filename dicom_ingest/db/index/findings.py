"""What is odd about a series transfer and worth a person's eye; none of it stops the import."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_ingest.contracts.messages.manifest import ManifestTransfer
from dicom_ingest.db.index.rows import SeriesRows
from dicom_ingest.db.server.connection import Connection

MOST = 20

_ELSEWHERE = """
SELECT ARRAY(SELECT DISTINCT edge FROM series_transfer
             WHERE series_instance_uid = :series AND edge <> :edge ORDER BY edge LIMIT 5) AS edges,
       ARRAY(SELECT DISTINCT study_instance_uid FROM series_transfer
             WHERE series_instance_uid = :series AND study_instance_uid <> :study
             ORDER BY study_instance_uid LIMIT 5) AS studies,
       (SELECT count(*) FROM study WHERE study_instance_uid = :study) AS patients
"""


def findings(connection: Connection, rows: SeriesRows) -> list[str]:
    """All of them, in words without a value that names a person."""
    return [*_within(rows), *_elsewhere(connection, rows.transfer), *_beside(rows.extra)][:MOST]


def _within(rows: SeriesRows) -> Iterator[str]:
    for keyword, values in rows.conflict_values.items():
        if len(values) > 1:
            yield f"its instances carry {len(values)} different values of {keyword}"


def _elsewhere(connection: Connection, transfer: ManifestTransfer) -> Iterator[str]:
    found = connection.one(
        _ELSEWHERE,
        series=transfer.series_instance_uid,
        study=transfer.study_instance_uid,
        edge=transfer.edge,
    )
    for edge in found["edges"] if found else []:
        yield f"edge {edge} has sent this series, too"
    for study in found["studies"] if found else []:
        yield f"its series UID is in study {study}, too"
    if found and found["patients"] > 1:
        yield f"its study is filed under {found['patients']} patients"


def _beside(extra: list[str]) -> Iterator[str]:
    if extra:
        yield f"{len(extra)} objects are below its prefix that its manifest does not name, e.g. {extra[0]}"
