"""Read model: the flow in numbers, from what was announced to image sets."""

from __future__ import annotations

from dicom_ingest.operators.read.index import Index, Row, first

HOURS = 24
"""What has happened is counted for this long: the screen asks every two seconds, also after years."""

_ARRIVED = f"""
SELECT count(*) AS series_announced,
    CAST(coalesce(sum(instance_count), 0) AS bigint) AS instances_announced,
    count(indexed_at) AS series_indexed,
    CAST(coalesce(sum(instance_count) FILTER (WHERE indexed_at IS NOT NULL), 0) AS bigint)
        AS instances_indexed,
    count(*) FILTER (WHERE created_at > now() - interval '1 minute') AS series_announced_last_minute,
    count(*) FILTER (WHERE indexed_at > now() - interval '1 minute') AS series_indexed_last_minute
FROM series_transfer WHERE created_at > now() - interval '{HOURS} hours'
"""
# As the ledger counts: an unchanged instance that was sent again is in the data store, too.
_HELD = ("IMPORTED", "WARNED", "UNCHANGED")
_IN_THE_STORE = " + ".join(f"coalesce(CAST(verdicts ->> '{verdict}' AS bigint), 0)" for verdict in _HELD)
_ENDED = f"""
SELECT count(*) AS series_over, CAST(coalesce(sum({_IN_THE_STORE}), 0) AS bigint) AS instances_imported,
    count(*) FILTER (WHERE over_at > now() - interval '1 minute') AS series_over_last_minute
FROM series_transfer WHERE over_at > now() - interval '{HOURS} hours' AND state = 'OVER'
"""
# A ticket's place is its series transfer's. One without a live ticket is being indexed, or about to queue.
_NOW = f"""
SELECT (SELECT count(*) FROM series_transfer t WHERE t.state <> 'OVER' AND NOT EXISTS (
        SELECT FROM ahlijob j WHERE j.series_transfer_pk = t.pk
            AND j.live)) AS series_being_indexed,
    (SELECT count(*) FROM ahlijob WHERE state = 'WAITING') AS series_waiting,
    (SELECT count(*) FROM ahlijob WHERE holds_slot) AS series_importing,
    (SELECT count(*) FROM ahlijob WHERE own_slot) AS slots_held,
    (SELECT min(created_at) FROM ahlijob WHERE state = 'WAITING') AS oldest_waiting_since,
    (SELECT count(*) FROM ahlijob j JOIN semaphore s ON s.datastore_id = j.datastore_id
        WHERE j.state = 'WAITING' AND s.configured_at < (SELECT max(configured_at) FROM semaphore))
        AS tickets_stranded,
    (SELECT count(*) FROM series_transfer
        WHERE state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN', 'PARTIAL', 'NON_PRIMARY')
            AND (acknowledged_at IS NULL OR acknowledged_at < over_at)) AS series_needing_attention,
    (SELECT count(*) FROM ahlijob WHERE running_at > now() - interval '1 minute'
        AND (bundle IS NULL OR leads))
        AS imports_started_last_minute,
    (SELECT count(DISTINCT image_set_id) FROM ahliimageset
        WHERE created_at > now() - interval '{HOURS} hours') AS image_sets,
    (SELECT count(*) FROM ahliimageset WHERE created_at > now() - interval '1 minute')
        AS image_sets_last_minute,
    (SELECT CAST(coalesce(sum(capacity), 0) AS bigint) FROM semaphore) AS capacity,
    (SELECT coalesce(bool_or(paused), false) FROM semaphore) AS paused,
    (SELECT coalesce(bool_or(gate = 'CLOSED'), false) FROM semaphore) AS gate_closed
"""
_OUTCOMES = f"""
SELECT outcome, count(*) AS series FROM series_transfer
WHERE over_at > now() - interval '{HOURS} hours' AND state = 'OVER' AND outcome IS NOT NULL
GROUP BY outcome ORDER BY outcome
"""


def flow(index: Index) -> Row:
    """Series transfers and instances by stage.

    What is being indexed, waits, is importing or needs a person is counted now, the rest over the last HOURS.
    """
    return {
        name: value
        for sql in (_ARRIVED, _ENDED, _NOW)
        for name, value in (first(index.run(sql)) or {}).items()
    }


def outcomes(index: Index) -> dict[str, int]:
    """How many series transfers ended how in the last HOURS."""
    return {row["outcome"]: row["series"] for row in index.run(_OUTCOMES)}
