"""Read model: which series share an import, and how many series an import takes."""

from __future__ import annotations

from datetime import date

from dicom_ingest.operators.read.index import Index, Row

LISTED = 20
"""Shared imports that a report lists."""
_DAY = "CAST(t.sealed_at AT TIME ZONE 'UTC' AS date)"
# An import that failed is in `earlier_imports`, of every series that shared it: each counts once.
_STARTS = f"""
SELECT {_DAY} AS day, t.edge, count(DISTINCT i.import_id) AS imports_started,
    count(DISTINCT t.pk) AS series_imported,
    count(DISTINCT t.pk) FILTER (WHERE i.bundle IS NOT NULL) AS series_that_shared,
    CAST(round(CAST(count(DISTINCT t.pk) AS numeric) / count(DISTINCT i.import_id), 1) AS double precision)
        AS series_per_start
FROM series_transfer t
JOIN ahlijob j ON j.series_transfer_pk = t.pk
CROSS JOIN LATERAL (
    SELECT j.import_id, j.bundle
    UNION ALL
    SELECT e ->> 'import_id', CAST(e ->> 'bundle' AS bigint) FROM jsonb_array_elements(j.earlier_imports) e) i
WHERE {_DAY} >= CAST(:since AS date) AND i.import_id IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""
_SHARED = f"""
SELECT j.bundle, max(j.import_id) AS import_id, min(t.edge) AS edge,
    min(CAST(j.transfer_id AS text)) AS transfer_id, count(*) AS series,
    count(*) FILTER (WHERE t.state = 'OVER') AS series_over,
    CAST(sum(t.instance_count) AS bigint) AS instances,
    CAST(coalesce(sum(t.scanned), 0) AS bigint) AS scanned,
    CAST(coalesce(sum(t.imported), 0) AS bigint) AS imported,
    min(j.pk) FILTER (WHERE j.leads) AS leader,
    min(j.series_instance_uid) FILTER (WHERE j.leads) AS led_by_series
FROM (
    SELECT DISTINCT a.bundle FROM series_transfer t
    JOIN ahlijob a ON a.series_transfer_pk = t.pk AND a.bundle IS NOT NULL
    WHERE {_DAY} >= CAST(:since AS date) ORDER BY a.bundle DESC LIMIT :most) b
JOIN ahlijob j ON j.bundle = b.bundle
JOIN series_transfer t ON t.pk = j.series_transfer_pk
GROUP BY j.bundle ORDER BY j.bundle DESC
"""
_MEMBERS = """
SELECT j.pk AS ticket_id, j.leads, CAST(j.transfer_id AS text) AS transfer_id, j.series_instance_uid,
    t.study_instance_uid, t.modality, s.series_description, j.state, t.outcome,
    t.instance_count AS instances, t.scanned, t.imported
FROM ahlijob j
JOIN series_transfer t ON t.pk = j.series_transfer_pk
LEFT JOIN series s ON s.pk = t.series_pk
WHERE j.bundle = :bundle ORDER BY j.leads DESC, j.pk LIMIT :most
"""
EVER = "-infinity"


def starts(index: Index, since: date | None = None) -> list[Row]:
    """Imports that were started, and the series that they took: a row per edge and day (sealed, UTC)."""
    return index.run(_STARTS, since=since.isoformat() if since else EVER)


def shared(index: Index, since: date | None = None, most: int = LISTED) -> list[Row]:
    """The newest imports that several series share: which ticket leads it, and what they add up to."""
    return index.run(_SHARED, since=since.isoformat() if since else EVER, most=most)


def members(index: Index, bundle: int, most: int) -> list[Row]:
    """The series that share an import, the leader first."""
    return index.run(_MEMBERS, bundle=bundle, most=most)
