"""Rows of the index for what arrives, many at a time; indexing has a benchmark of its own."""

from __future__ import annotations

import json
from uuid import UUID

from benchmarks.starts.arrivals import Series
from dicom_ingest.contracts.messages.steps import SeriesTransferRef
from dicom_ingest.db.server.connection import Connection

DATASTORE = "bench"
FIRST_BULK = 10_000_000
"""Numbers of series from here on are the migration's."""

_REGISTER = """
INSERT INTO series_transfer (pk, transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge,
    sequence, priority, bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes,
    calling_ae, called_ae, aborted, seal_reason, first_received_at, last_received_at, sealed_at, announced_at,
    transfer_series, owner_execution, fence, claimed_at, indexed_at, state)
OVERRIDING SYSTEM VALUE
SELECT r.pk, r.transfer, r.series, '2.25.' || r.study, 'bench', 'bench-edge1', 1, r.priority, 'd',
    'bench-edge1/' || r.transfer || '/2.25.' || r.study || '/' || r.series || '/', 'm', 'h',
    r.files, r.bytes, 'CT1', 'EDGE', false, 'quiet', n, n, n, n, r.closed,
    'execution-' || r.pk, 1, n, n, 'INDEXED'
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    pk bigint, transfer uuid, study bigint, series text, files integer, bytes bigint, priority smallint,
    closed integer),
    (SELECT clock_timestamp() AS n) now
"""
_QUEUE = """
INSERT INTO ahlijob (datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority,
    owner_execution, fence, task_token, attempt)
SELECT :datastore, pk, transfer_id, series_instance_uid, priority, owner_execution, fence,
    CAST(pk AS text) AS task_token, 1
FROM series_transfer WHERE pk >= :first AND pk <= :last ORDER BY pk
"""


def transfer_id(series: Series) -> str:
    """Of the series' transfer; bulk and live ones differ."""
    return str(UUID(int=(series.priority << 100) + series.transfer + (4 << 76) + (8 << 60)))


def pk(series: Series) -> int:
    """Of the series transfer."""
    return series.number + 1 + series.priority * FIRST_BULK


def series_uid(series: Series) -> str:
    """Its SeriesInstanceUID."""
    return f"2.25.{series.uid or pk(series)}"


def reference(series: Series) -> SeriesTransferRef:
    """As the execution knows it."""
    return SeriesTransferRef(
        transfer_id=transfer_id(series),
        series_instance_uid=series_uid(series),
        correlation_id="bench",
        fence=1,
    )


def execution(series: Series) -> str:
    """Its owner."""
    return f"execution-{pk(series)}"


def register(connection: Connection, several: list[Series]) -> None:
    """As IndexSeries leaves them."""
    rows = [
        {
            "pk": pk(one),
            "transfer": transfer_id(one),
            "study": one.study,
            "series": series_uid(one),
            "files": one.files,
            "bytes": one.bytes,
            "priority": one.priority,
            "closed": one.transfer_series,
        }
        for one in several
    ]
    connection.run(_REGISTER, rows=json.dumps(rows))


def queue(connection: Connection, several: list[Series]) -> None:
    """Tickets of registered series that have waited for a while."""
    connection.run(_QUEUE, datastore=DATASTORE, first=pk(several[0]), last=pk(several[-1]))
