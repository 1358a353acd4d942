"""Read model: the ledger's sums and its differences."""

from __future__ import annotations

from datetime import date

from dicom_ingest.db.server.parts import in_parts
from dicom_ingest.operators.read.index import Index, Row, first

_SUMS = """
SELECT day, edge, count(*) AS series, CAST(sum(announced) AS bigint) AS announced,
    CAST(sum(in_s3) AS bigint) AS in_s3, CAST(sum(indexed) AS bigint) AS indexed,
    CAST(sum(imported) AS bigint) AS imported, CAST(sum(failed) AS bigint) AS failed,
    CAST(sum(missing) AS bigint) AS missing, CAST(sum(pending) AS bigint) AS pending,
    count(*) FILTER (WHERE NOT balanced) AS differences
FROM ledger WHERE day >= CAST(:since AS date) GROUP BY day, edge ORDER BY day, edge
"""
_DIFFERENCES = """
SELECT day, edge, CAST(transfer_id AS text) AS transfer_id, series_instance_uid, patient_id, accession_number,
    announced, in_s3, indexed, imported, failed, missing, pending, state, outcome, outcome_detail AS detail,
    CASE WHEN state <> 'OVER' THEN 'under way'
         WHEN in_s3 < announced THEN 'objects missing in S3'
         WHEN indexed < announced THEN 'not all indexed'
         WHEN failed > 0 THEN 'refused by HealthImaging'
         WHEN missing > 0 THEN 'missing'
         WHEN outcome = 'INDEXED' THEN 'importing was off'
         ELSE 'not imported' END AS reason
FROM (SELECT * FROM ledger WHERE NOT balanced AND day >= CAST(:since AS date)
      ORDER BY day DESC, edge, series_instance_uid, transfer_id LIMIT :most OFFSET :skip) found
LEFT JOIN LATERAL (
    SELECT pa.patient_id, st.accession_number FROM series_transfer t
    JOIN series s ON s.pk = t.series_pk JOIN study st ON st.pk = s.study_pk
    JOIN patient pa ON pa.pk = st.patient_pk
    WHERE t.transfer_id = found.transfer_id AND t.series_instance_uid = found.series_instance_uid) who ON true
ORDER BY day DESC, edge, series_instance_uid, transfer_id
"""
_OF_SERIES = """
SELECT day, edge, announced, in_s3, indexed, imported, failed, missing, pending, state, outcome, balanced
FROM ledger WHERE series_instance_uid = CAST(:series AS text) ORDER BY day DESC LIMIT 1
"""

EVER = "-infinity"


def sums(index: Index, since: date | None = None) -> list[Row]:
    """Announced, in S3, indexed, imported, explained: a row per edge and day (UTC)."""
    return index.run(_SUMS, since=since.isoformat() if since else EVER)


def differences(index: Index, since: date | None = None, most: int = 200) -> list[Row]:
    """The series transfers that do not balance, newest first, each with its reason."""
    day = since.isoformat() if since else EVER
    return in_parts(
        lambda part, skip: index.run(_DIFFERENCES, since=day, most=part, skip=skip),
        most,
        key=("transfer_id", "series_instance_uid"),
    )


def of_series(index: Index, series_instance_uid: str) -> Row | None:
    """The newest row of one series; None: it was never indexed."""
    return first(index.run(_OF_SERIES, series=series_instance_uid))
