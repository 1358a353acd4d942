"""Read model: what was stored, imported and executed, per month, edge and sender."""

from __future__ import annotations

from dicom_ingest.operators.read.index import Index, Row

# The members of a bundle share one import, which its leader started. One that failed is among the earlier
# imports of each member; it counts at the ticket whose number the bundle has.
_USAGE = """
SELECT to_char(t.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, t.edge, t.calling_ae,
    count(*) AS series, CAST(sum(t.instance_count) AS bigint) AS instances,
    CAST(sum(t.total_bytes) AS bigint) AS stored_bytes,
    CAST(sum(CASE WHEN j.was_imported THEN t.imported ELSE 0 END) AS bigint) AS imported,
    CAST(coalesce(sum(CASE WHEN j.was_imported AND t.imported > 0 THEN
        greatest(t.total_bytes * t.imported / greatest(t.instance_count, 1), CAST(:least AS bigint)) END), 0)
        AS bigint) AS imported_bytes,
    CAST(coalesce(sum(j.imports), 0) AS bigint) AS imports,
    CAST(coalesce(sum(j.seconds), 0) AS double precision) AS import_seconds,
    CAST(coalesce(sum(j.shared_imports), 0) AS bigint) AS shared_imports,
    CAST(coalesce(sum(j.shared_seconds), 0) AS double precision) AS shared_import_seconds,
    CAST(count(*) + coalesce(sum(l.executions), 0) AS bigint) AS executions
FROM series_transfer t
LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN a.import_id IS NULL OR a.bundle IS NOT NULL AND NOT a.leads THEN 0 ELSE 1 END
               + (SELECT count(*) FROM jsonb_array_elements(a.earlier_imports) e
                  WHERE coalesce(CAST(e ->> 'bundle' AS bigint), a.pk) = a.pk)) AS imports,
        count(*) FILTER (WHERE a.leads AND a.import_id IS NOT NULL) AS shared_imports,
        sum(extract(epoch FROM a.import_over_at - a.running_at)) FILTER (WHERE a.bundle IS NULL) AS seconds,
        sum(extract(epoch FROM a.import_over_at - a.running_at)) FILTER (WHERE a.leads) AS shared_seconds,
        bool_or(a.import_id IS NOT NULL OR jsonb_array_length(a.earlier_imports) > 0) AS was_imported
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
