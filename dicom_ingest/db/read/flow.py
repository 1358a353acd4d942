"""Read model: the flow in numbers, from what was announced to image sets."""

from __future__ import annotations

from dicom_ingest.db.read.index import Index, Row, first

_FLOW = """
SELECT count(*) AS series_announced,
    CAST(coalesce(sum(t.instance_count), 0) AS bigint) AS instances_announced,
    count(*) FILTER (WHERE t.indexed_at IS NOT NULL) AS series_indexed,
    CAST(coalesce(sum(t.instance_count) FILTER (WHERE t.indexed_at IS NOT NULL), 0) AS bigint)
        AS instances_indexed,
    count(*) FILTER (WHERE p.place IN ('claimed', 'indexed')) AS series_being_indexed,
    count(*) FILTER (WHERE p.place = 'waiting') AS series_waiting,
    count(*) FILTER (WHERE p.place IN ('starting', 'importing')) AS series_importing,
    count(*) FILTER (WHERE p.over_at IS NOT NULL AND t.state = 'OVER') AS series_over,
    count(*) FILTER (WHERE t.state = 'OVER' AND t.outcome IN ('FAILED', 'UNKNOWN', 'PARTIAL', 'NON_PRIMARY'))
        AS series_needing_a_person,
    count(*) FILTER (WHERE t.announced_at > clock_timestamp() - interval '1 minute')
        AS series_announced_last_minute,
    count(*) FILTER (WHERE t.indexed_at > clock_timestamp() - interval '1 minute')
        AS series_indexed_last_minute,
    count(*) FILTER (WHERE t.over_at > clock_timestamp() - interval '1 minute') AS series_over_last_minute
FROM progress p
JOIN series_transfer t ON t.transfer_id = p.transfer_id AND t.series_instance_uid = p.series_instance_uid
"""
_HELD = """
SELECT (SELECT count(DISTINCT image_set_id) FROM ahliimageset) AS image_sets,
    (SELECT count(*) FROM ahliimageset WHERE created_at > clock_timestamp() - interval '1 minute')
        AS image_sets_last_minute,
    (SELECT count(*) FROM ahlijob WHERE running_at > clock_timestamp() - interval '1 minute')
        AS imports_started_last_minute,
    (SELECT min(created_at) FROM ahlijob WHERE state = 'WAITING') AS oldest_waiting_since,
    (SELECT count(*) FROM ahlijob j JOIN semaphore s ON s.datastore_id = j.datastore_id
        WHERE j.state = 'WAITING' AND s.configured_at < (SELECT max(configured_at) FROM semaphore))
        AS tickets_stranded,
    (SELECT count(*) FROM instance_transfer WHERE verdict IN ('IMPORTED', 'WARNED')) AS instances_imported,
    (SELECT CAST(coalesce(sum(capacity), 0) AS bigint) FROM semaphore) AS capacity,
    (SELECT coalesce(bool_or(paused), false) FROM semaphore) AS paused,
    (SELECT coalesce(bool_or(gate = 'CLOSED'), false) FROM semaphore) AS gate_closed
"""
_OUTCOMES = """
SELECT outcome, count(*) AS series FROM series_transfer WHERE state = 'OVER' AND outcome IS NOT NULL
GROUP BY outcome ORDER BY outcome
"""


def flow(index: Index) -> Row:
    """Series transfers and instances by stage; `waiting` and `importing` are now, the rest so far."""
    return {**(first(index.run(_FLOW)) or {}), **(first(index.run(_HELD)) or {})}


def outcomes(index: Index) -> dict[str, int]:
    """How many series transfers ended how."""
    return {row["outcome"]: row["series"] for row in index.run(_OUTCOMES)}
