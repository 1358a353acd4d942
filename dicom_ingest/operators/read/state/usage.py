"""Read model: what was stored, imported and executed, per month, edge and sender."""

from __future__ import annotations

from dicom_ingest.operators.read.index import Index, Row

# The members of a bundle share one import, which its leader started.
_USAGE = """
SELECT to_char(t.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, t.edge, t.calling_ae,
    count(*) AS series, CAST(sum(t.instance_count) AS bigint) AS instances,
    CAST(sum(t.total_bytes) AS bigint) AS stored_bytes,
    CAST(sum(CASE WHEN j.imports > 0 THEN t.imported ELSE 0 END) AS bigint) AS imported,
    CAST(coalesce(sum(CASE WHEN j.imports > 0 AND t.imported > 0 THEN
        greatest(t.total_bytes * t.imported / greatest(t.instance_count, 1), CAST(:least AS bigint)) END), 0)
        AS bigint) AS imported_bytes,
    CAST(coalesce(sum(j.imports), 0) AS bigint) AS imports,
    CAST(coalesce(sum(j.seconds), 0) AS double precision) AS import_seconds,
    CAST(count(*) + coalesce(sum(l.executions), 0) AS bigint) AS executions
FROM series_transfer t
LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN a.import_id IS NULL OR a.bundle IS NOT NULL AND NOT a.leads THEN 0 ELSE 1 END
               + jsonb_array_length(a.earlier_imports)) AS imports,
        sum(extract(epoch FROM a.import_over_at - a.running_at)) AS seconds
    FROM ahlijob a WHERE a.series_transfer_pk = t.pk) j ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS executions FROM later_execution e WHERE e.series_transfer_pk = t.pk) l ON true
WHERE t.manifest_sha256 <> ''
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def usage(index: Index, least_bytes: int) -> list[Row]:
    """A row per month (UTC, when sealed), edge and calling AE.

    `least_bytes`: what an image set is billed as at least.
    """
    return index.run(_USAGE, least=least_bytes)
