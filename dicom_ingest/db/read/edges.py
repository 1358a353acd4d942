"""Read model: edges and their senders, as the index has seen them."""

from __future__ import annotations

from dicom_ingest.db.read.index import Index, Row

RECENT_DAYS = 14

_EDGES = """
SELECT edge, count(DISTINCT transfer_id) AS transfers, count(*) AS series,
    CAST(sum(instance_count) AS bigint) AS instances, CAST(sum(total_bytes) AS bigint) AS bytes,
    count(*) FILTER (WHERE state <> 'OVER') AS under_way,
    count(*) FILTER (WHERE state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN')) AS failed,
    count(*) FILTER (WHERE aborted) AS aborted,
    max(last_received_at) AS last_received_at, max(announced_at) AS last_announced_at
FROM series_transfer GROUP BY edge ORDER BY edge
"""
_SENDERS = f"""
SELECT edge, calling_ae, count(*) AS series, max(last_received_at) AS last_received_at
FROM series_transfer WHERE first_received_at > clock_timestamp() - interval '{RECENT_DAYS} days'
GROUP BY edge, calling_ae ORDER BY edge, calling_ae
"""


def edges(index: Index) -> list[Row]:
    """A row per edge: what it announced and what became of it."""
    return index.run(_EDGES)


def senders(index: Index) -> list[Row]:
    """A row per edge and calling AE of the last days; whether one fell silent, its edge says itself."""
    return index.run(_SENDERS)
