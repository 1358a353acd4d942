"""Read model: edges and their senders, as the index has seen them."""

from __future__ import annotations

from dicom_ingest.operators.read.index import Index, Row

RECENT_DAYS = 14
HOURS = 24

# The names are found by one look at an index for each, not by reading every row: an edge that has been silent
# for months is listed, too.
_EDGES = f"""
WITH RECURSIVE names AS (
    (SELECT edge FROM series_transfer ORDER BY edge LIMIT 1)
    UNION ALL
    SELECT (SELECT t.edge FROM series_transfer t WHERE t.edge > n.edge ORDER BY t.edge LIMIT 1)
    FROM names n WHERE n.edge IS NOT NULL)
SELECT n.edge, recent.*, last.last_received_at, last.last_announced_at
FROM names n
CROSS JOIN LATERAL (
    SELECT count(DISTINCT transfer_id) AS transfers, count(*) AS series,
        CAST(coalesce(sum(instance_count), 0) AS bigint) AS instances,
        CAST(coalesce(sum(total_bytes), 0) AS bigint) AS bytes,
        count(*) FILTER (WHERE state <> 'OVER') AS under_way,
        count(*) FILTER (WHERE state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN')) AS failed,
        count(*) FILTER (WHERE aborted) AS aborted
    FROM series_transfer t
    WHERE t.edge = n.edge AND t.first_received_at > now() - interval '{HOURS} hours') recent
CROSS JOIN LATERAL (
    SELECT last_received_at, announced_at AS last_announced_at FROM series_transfer t
    WHERE t.edge = n.edge ORDER BY t.sealed_at DESC LIMIT 1) last
ORDER BY n.edge
"""
_SENDERS = f"""
SELECT edge, calling_ae, count(*) AS series, max(last_received_at) AS last_received_at
FROM series_transfer WHERE first_received_at > now() - interval '{RECENT_DAYS} days'
GROUP BY edge, calling_ae ORDER BY edge, calling_ae
"""


def edges(index: Index) -> list[Row]:
    """A row per edge: when it was last heard, and what it announced in the last HOURS."""
    return index.run(_EDGES)


def senders(index: Index) -> list[Row]:
    """A row per edge and calling AE of the last RECENT_DAYS. Its edge says whether a sender fell silent."""
    return index.run(_SENDERS)
