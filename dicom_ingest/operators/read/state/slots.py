"""Read model: the import semaphore and its queue."""

from __future__ import annotations

from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.operators.read.index import Index, Row, first

# The most that live series needed in this hour of the day and in those beside it (db.semaphore.reserve).
LIVE_NEEDED = """
COALESCE((SELECT max(s.live_needs[
    1 + (CAST(EXTRACT(hour FROM clock_timestamp() AT TIME ZONE 'UTC') AS integer) + beside) % 24])
    FROM generate_series(23, 25) beside), 0)
"""
_SEMAPHORES = f"""
SELECT s.datastore_id, s.configured_at < (SELECT max(configured_at) FROM semaphore) AS replaced,
    s.capacity, s.start_rate, s.start_burst, s.paused, s.gate, s.gate_reason,
    s.gate_closed_at, {LIVE_NEEDED} AS kept_for_live,
    count(j.pk) FILTER (WHERE j.state = 'WAITING') AS waiting,
    count(j.pk) FILTER (WHERE j.own_slot) AS held,
    count(j.pk) FILTER (WHERE j.orphaned_at IS NOT NULL) AS orphaned,
    min(j.created_at) FILTER (WHERE j.state = 'WAITING') AS oldest_waiting_since
FROM semaphore s
LEFT JOIN ahlijob j ON j.datastore_id = s.datastore_id
    AND j.live
GROUP BY s.datastore_id ORDER BY s.configured_at DESC
"""
# Holders first, then the queue in its order; only the listed ones are looked up elsewhere.
_COLUMNS = """
SELECT j.pk AS ticket_id, j.state, j.priority, j.series_instance_uid, t.edge, t.calling_ae, t.modality,
    se.series_description, st.study_description, st.study_date, st.accession_number, pa.patient_id,
    t.instance_count AS instances, j.attempt, j.import_id, j.created_at,
    j.granted_at, j.start_at, j.running_at, j.orphaned_at, CAST(j.transfer_id AS text) AS transfer_id,
    j.datastore_id, CASE WHEN j.holds_slot THEN j.bundle END AS bundle, j.holds_slot AND j.leads AS leads,
    (SELECT l.pk FROM ahlijob l WHERE j.holds_slot AND l.bundle = j.bundle AND l.leads) AS leader,
    CASE WHEN j.holds_slot THEN (SELECT count(*) FROM ahlijob m WHERE m.bundle = j.bundle) ELSE 0 END
        AS shared_by,
    j.state = 'WAITING' AND s.configured_at < (SELECT max(configured_at) FROM semaphore) AS stranded
FROM listed l JOIN ahlijob j ON j.pk = l.pk
JOIN series_transfer t ON t.pk = j.series_transfer_pk
JOIN semaphore s ON s.datastore_id = j.datastore_id
LEFT JOIN series se ON se.pk = t.series_pk
LEFT JOIN study st ON st.pk = se.study_pk
LEFT JOIN patient pa ON pa.pk = st.patient_pk
ORDER BY l.waits, l.priority, l.pk
"""
_TICKETS = f"""
WITH listed AS (
    (SELECT pk, false AS waits, priority FROM ahlijob WHERE holds_slot
     ORDER BY priority, pk LIMIT :reach)
    UNION ALL
    (SELECT pk, true AS waits, priority FROM ahlijob WHERE state = 'WAITING'
     ORDER BY priority, pk LIMIT :reach)
    ORDER BY waits, priority, pk LIMIT :most OFFSET :skip)
{_COLUMNS}
"""
_TICKET = f"""
WITH listed AS (SELECT pk, state = 'WAITING' AS waits, priority FROM ahlijob WHERE pk = :ticket)
{_COLUMNS}
"""


def semaphores(index: Index) -> list[Row]:
    """A row per data store, the configured one first: capacity, held, waiting, paused or shut, and why.

    `replaced`: another one is configured since; tickets that wait for it are stranded. `kept_for_live`: slots
    that a migration leaves free now.
    """
    return [
        row | {"kept_for_live": kept_for_live(row["capacity"], row["kept_for_live"])}
        for row in index.run(_SEMAPHORES)
    ]


def tickets(index: Index, most: int = 200, skip: int = 0) -> list[Row]:
    """The tickets that hold a slot, then those that wait, in the order in which they will be served.

    `shared_by`: how many series share its import, which ticket `leader` started; 0: it is alone.
    """
    return index.run(_TICKETS, most=most, skip=skip, reach=most + skip)


def ticket(index: Index, ticket_id: int) -> Row | None:
    """One ticket, as `tickets` lists it; None: there is no such ticket."""
    return first(index.run(_TICKET, ticket=ticket_id))
