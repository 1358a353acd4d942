"""Series transfers as they are announced: registered once, found again, queued again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.db.server.connection import Connection

PRIORITIES = {"live": 0, "bulk": 1}

_REGISTER = """
INSERT INTO series_transfer AS old (
    transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge, sequence, modality, priority,
    bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes, calling_ae, called_ae,
    aborted, seal_reason, first_received_at, last_received_at, sealed_at, announced_at, transfer_series)
VALUES (
    :transfer_id, :series_instance_uid, :study_instance_uid, :correlation_id, :edge, :sequence, :modality,
    :priority, :bucket, :prefix, :manifest_key, :manifest_sha256, :instance_count, :total_bytes, :calling_ae,
    :called_ae, :aborted, :seal_reason, :first_received_at, :last_received_at, :sealed_at, :announced_at,
    :transfer_series)
ON CONFLICT (transfer_id, series_instance_uid) DO UPDATE SET
    (study_instance_uid, correlation_id, edge, sequence, modality, priority, bucket, prefix, manifest_key,
     manifest_sha256, instance_count, total_bytes, calling_ae, called_ae, aborted, seal_reason,
     first_received_at, last_received_at, sealed_at, announced_at, transfer_series) =
    (excluded.study_instance_uid, excluded.correlation_id, excluded.edge, excluded.sequence,
     excluded.modality, excluded.priority, excluded.bucket, excluded.prefix, excluded.manifest_key,
     excluded.manifest_sha256,
     excluded.instance_count, excluded.total_bytes, excluded.calling_ae, excluded.called_ae, excluded.aborted,
     excluded.seal_reason, excluded.first_received_at, excluded.last_received_at, excluded.sealed_at,
     excluded.announced_at, excluded.transfer_series)
WHERE old.manifest_sha256 = ''
"""

# Of an event that could not be read: what there is of it, until an event comes that can be.
_REGISTER_UNREADABLE = """
INSERT INTO series_transfer (
    transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge, sequence, bucket, prefix,
    manifest_key, manifest_sha256, instance_count, total_bytes, calling_ae, called_ae, aborted, seal_reason,
    first_received_at, last_received_at, sealed_at, announced_at, state, outcome, outcome_detail, over_at)
SELECT CAST(:transfer_id AS uuid), :series_instance_uid, :study_instance_uid, :correlation_id, :edge,
    0, '', '', :manifest_key, '', 0, 0, '', '', false, '', n, n, n, n, 'OVER', 'FAILED', :words, n
FROM (SELECT clock_timestamp() AS n) now
ON CONFLICT (transfer_id, series_instance_uid) DO NOTHING
"""


def register(connection: Connection, event: SeriesComplete, announced_at: str) -> None:
    """Note a series transfer at its first event; later events of it change nothing."""
    values = event.model_dump(mode="json", exclude={"schema_version"})
    values["priority"] = PRIORITIES[event.priority]
    connection.run(_REGISTER, **values, announced_at=announced_at)


def register_unreadable(connection: Connection, detail: Mapping[str, Any], words: str) -> None:
    """Leave a FAILED row of an event that could not be read; one that can be read later fills it in."""
    names = (
        "transfer_id",
        "series_instance_uid",
        "study_instance_uid",
        "correlation_id",
        "edge",
        "manifest_key",
    )
    connection.run(_REGISTER_UNREADABLE, **{name: str(detail.get(name, "")) for name in names}, words=words)


_ONLY_INDEXED = """
UPDATE series_transfer SET state = 'OVER', outcome = 'INDEXED', over_at = clock_timestamp()
WHERE pk = :pk AND owner_execution IS NULL
"""


def only_indexed(connection: Connection, pk: int) -> None:
    """No execution owns it, so no import was ever asked for: INDEXED, and over."""
    connection.run(_ONLY_INDEXED, pk=pk)


_FIND = """
SELECT pk FROM series_transfer WHERE transfer_id = :transfer_id AND series_instance_uid = :series
FOR NO KEY UPDATE
"""


def find(connection: Connection, transfer_id: str, series_instance_uid: str) -> int:
    """The pk of a registered series transfer, which is locked before anything of it is written."""
    row = connection.one(_FIND, transfer_id=transfer_id, series=series_instance_uid)
    if row is None:
        raise AssertionError("looked for before it was registered")
    return int(row["pk"])


_TO_QUEUE_AGAIN = """
SELECT transfer_id::text AS transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge,
    sequence, modality, priority, bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes,
    calling_ae, called_ae, aborted, seal_reason, first_received_at, last_received_at, sealed_at,
    transfer_series
FROM series_transfer WHERE queue_again AND state = 'OVER' ORDER BY pk LIMIT 50
"""


def to_queue_again(connection: Connection) -> list[SeriesComplete]:
    """The events of series transfers of which an older version was imported over a newer one."""
    names = {number: name for name, number in PRIORITIES.items()}
    return [
        SeriesComplete(**row | {"priority": names.get(row["priority"], "live")})
        for row in connection.run(_TO_QUEUE_AGAIN)
    ]


def queued_again(connection: Connection, event: SeriesComplete) -> None:
    """An execution was started for it."""
    connection.run(
        "UPDATE series_transfer SET queue_again = false "
        "WHERE transfer_id = :transfer_id AND series_instance_uid = :series",
        transfer_id=event.transfer_id,
        series=event.series_instance_uid,
    )
