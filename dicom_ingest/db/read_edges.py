"""Read model: edges and their senders, as the index has seen them."""

from __future__ import annotations

from dicom_ingest.db.read_index import Index, Row

RHYTHM_DAYS = 14
ENOUGH_PAUSES = 10
"""With fewer pauses between series, a sender has no rhythm yet that it could fall out of."""

_EDGES = """
SELECT edge, count(DISTINCT transfer_id) AS transfers, count(*) AS series,
    CAST(sum(instance_count) AS bigint) AS instances, CAST(sum(total_bytes) AS bigint) AS bytes,
    count(*) FILTER (WHERE state <> 'OVER') AS under_way,
    count(*) FILTER (WHERE state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN')) AS failed,
    count(*) FILTER (WHERE aborted) AS aborted,
    max(last_received_at) AS last_received_at, max(announced_at) AS last_announced_at
FROM series_transfer GROUP BY edge ORDER BY edge
"""
# Silent: quiet for three times the pause that 95 of 100 of its pauses stay below, and for an hour at least.
_SENDERS = f"""
WITH received AS (
    SELECT edge, calling_ae, last_received_at, EXTRACT(epoch FROM first_received_at
        - lag(last_received_at) OVER (PARTITION BY edge, calling_ae ORDER BY first_received_at)) AS pause
    FROM series_transfer WHERE first_received_at > clock_timestamp() - interval '{RHYTHM_DAYS} days'),
rhythm AS (
    SELECT edge, calling_ae, count(*) AS series, count(pause) AS pauses,
        max(last_received_at) AS last_received_at,
        CAST(percentile_cont(0.95) WITHIN GROUP (ORDER BY greatest(pause, 0)) AS float)
            AS usual_pause_seconds,
        CAST(EXTRACT(epoch FROM clock_timestamp() - max(last_received_at)) AS float) AS quiet_seconds
    FROM received GROUP BY edge, calling_ae)
SELECT edge, calling_ae, series, last_received_at, quiet_seconds, usual_pause_seconds,
    pauses >= {ENOUGH_PAUSES} AND quiet_seconds > greatest(3600, 3 * usual_pause_seconds) AS silent
FROM rhythm ORDER BY silent DESC, edge, calling_ae
"""


def edges(index: Index) -> list[Row]:
    """A row per edge: what it announced and what became of it."""
    return index.run(_EDGES)


def senders(index: Index) -> list[Row]:
    """A row per edge and calling AE of the last days; `silent`: quiet against its own rhythm."""
    return index.run(_SENDERS)
