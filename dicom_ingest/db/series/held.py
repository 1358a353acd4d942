"""What a data store already holds of a series transfer, instance by instance."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.server.connection import Connection


@dataclass(frozen=True)
class Held:
    """Of a transfer's instances: how many a data store holds unchanged, or in a newer version."""

    instances: int
    unchanged: int
    newer: int
    missing: int = 0
    """Instances that the edge could not send: no data store holds them, no import brings them."""

    @property
    def outcome(self) -> Outcome | None:
        """DUPLICATE or SUPERSEDED (PARTIAL where an instance is missing) where nothing must be imported."""
        if not self.instances or self.unchanged + self.newer < self.instances:
            return None
        if self.missing:
            return Outcome.PARTIAL
        return Outcome.SUPERSEDED if self.newer else Outcome.DUPLICATE

    @property
    def words(self) -> str:
        """What there is to say of it."""
        if self.newer:
            words = f"the data store holds a newer version of {self.newer} of its {self.instances} instances"
        else:
            words = "the data store holds the same bytes"
        return f"{words}; {self.missing} more are missing" if self.missing else words


# HealthImaging lets the last import win, so the version counts that was imported last. All versions are
# read once and sorted: as a join of instances, a planner without statistics compared each with each.
_BESIDE = """
WITH versions AS (
    SELECT i.sop_instance_uid, i.dataset_sha256, i.received_at, i.imported_at, t.edge, t.sequence,
        t.pk = own.pk AS mine, i.verdict = 'MISSING' AS missing,
        (i.datastore_id = :datastore_id AND i.verdict IN ('IMPORTED', 'WARNED')) IS TRUE AS held
    FROM series_transfer own
    JOIN series_transfer t USING (study_instance_uid, series_instance_uid)
    JOIN instance_transfer i ON i.series_transfer_pk = t.pk
    WHERE own.pk = :pk),
beside AS (
    SELECT *, first_value(held) OVER latest AS known,
        first_value(dataset_sha256) OVER latest AS known_sha256,
        first_value(received_at) OVER latest AS known_received_at,
        first_value(edge) OVER latest AS known_edge, first_value(sequence) OVER latest AS known_sequence
    FROM versions
    WINDOW latest AS (PARTITION BY sop_instance_uid ORDER BY held DESC, imported_at DESC)),
compared AS (
    SELECT sop_instance_uid, missing, known AND known_sha256 = dataset_sha256 AS unchanged,
        known AND known_sha256 <> dataset_sha256 AND CASE
            WHEN known_edge = edge THEN known_sequence > sequence
            ELSE known_received_at > received_at END AS newer
    FROM beside WHERE mine)
"""

_HELD = f"""{_BESIDE}
SELECT count(*) FILTER (WHERE NOT missing) AS instances,
    count(*) FILTER (WHERE unchanged AND NOT missing) AS unchanged,
    count(*) FILTER (WHERE newer AND NOT missing) AS newer,
    count(*) FILTER (WHERE missing) AS missing
FROM compared
"""

_RECORD = f"""{_BESIDE}
UPDATE instance_transfer i SET verdict = CASE WHEN c.unchanged THEN 'UNCHANGED' ELSE 'SUPERSEDED' END,
    datastore_id = :datastore_id, message = NULL, updated_at = clock_timestamp()
FROM compared c
WHERE i.series_transfer_pk = :pk AND i.sop_instance_uid = c.sop_instance_uid AND (c.unchanged OR c.newer)
  AND i.verdict NOT IN ('IMPORTED', 'WARNED', 'MISSING')
"""

# HealthImaging lets the last import win: an older version just imported replaces the newer one.
_OVERLAID = """
WITH own AS (
    SELECT pk, study_instance_uid, series_instance_uid, edge, sequence FROM series_transfer WHERE pk = :pk),
other AS (
    SELECT t.pk, t.edge = own.edge AS same_edge, t.sequence > own.sequence AS later
    FROM own JOIN series_transfer t USING (study_instance_uid, series_instance_uid)
    WHERE t.pk <> own.pk ORDER BY t.pk FOR NO KEY UPDATE OF t),
overlaid AS (
    UPDATE instance_transfer n SET verdict = 'PENDING', imported_at = NULL, updated_at = clock_timestamp(),
        message = 'an older version was imported over it; its transfer is queued again'
    FROM instance_transfer o CROSS JOIN other
    WHERE o.series_transfer_pk = :pk AND o.ahlijob_pk = :ticket AND o.verdict IN ('IMPORTED', 'WARNED')
      AND n.series_transfer_pk = other.pk AND n.sop_instance_uid = o.sop_instance_uid
      AND n.datastore_id = :datastore_id AND n.verdict IN ('IMPORTED', 'WARNED')
      AND n.dataset_sha256 <> o.dataset_sha256
      AND CASE WHEN other.same_edge THEN other.later ELSE n.received_at > o.received_at END
    RETURNING n.series_transfer_pk)
UPDATE series_transfer SET queue_again = true
WHERE pk IN (SELECT series_transfer_pk FROM overlaid) RETURNING transfer_id::text AS transfer_id
"""


def held(connection: Connection, series_transfer_pk: int, datastore_id: str) -> Held:
    """What the data store holds of a series transfer already."""
    row = connection.one(_HELD, pk=series_transfer_pk, datastore_id=datastore_id)
    return Held(**row) if row else Held(0, 0, 0)


def record_held(connection: Connection, series_transfer_pk: int, datastore_id: str) -> None:
    """UNCHANGED or SUPERSEDED for each instance that the data store holds from another transfer."""
    connection.run(_RECORD, pk=series_transfer_pk, datastore_id=datastore_id)


def overlaid(connection: Connection, series_transfer_pk: int, ticket: int, datastore_id: str) -> list[str]:
    """The newer transfers of which this import covered an instance: each is to be queued again behind it."""
    rows = connection.run(_OVERLAID, pk=series_transfer_pk, ticket=ticket, datastore_id=datastore_id)
    return [row["transfer_id"] for row in rows]
