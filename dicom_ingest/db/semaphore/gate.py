"""The gate of a data store: closed while the store itself is broken, so that no night's queue is burnt."""

from __future__ import annotations

from dicom_ingest.db.server.connection import Connection


def close(connection: Connection, datastore_id: str, reason: str) -> None:
    """No grants until a start or a probe finds the data store well."""
    connection.run(
        "UPDATE semaphore SET gate = 'CLOSED', gate_reason = :reason, "
        "gate_closed_at = COALESCE(gate_closed_at, clock_timestamp()), updated_at = clock_timestamp() "
        "WHERE datastore_id = :datastore_id",
        datastore_id=datastore_id,
        reason=reason,
    )


def open_again(connection: Connection, datastore_id: str) -> bool:
    """The data store is well; False where the gate was open already."""
    row = connection.one(
        "UPDATE semaphore SET gate = 'OPEN', gate_reason = NULL, gate_closed_at = NULL, "
        "updated_at = clock_timestamp() WHERE datastore_id = :datastore_id AND gate = 'CLOSED' "
        "RETURNING datastore_id",
        datastore_id=datastore_id,
    )
    return row is not None


def needs_probe(connection: Connection, datastore_id: str) -> bool:
    """Whether it is closed and no execution tries a start of its own, which is the better probe.

    GetDatastore says nothing about the import role: opening on its word alone would close and open for ever.
    """
    row = connection.one(
        "UPDATE semaphore s SET gate_probed_at = clock_timestamp() "
        "WHERE datastore_id = :datastore_id AND gate = 'CLOSED' AND NOT EXISTS ("
        "SELECT FROM ahlijob j WHERE j.datastore_id = s.datastore_id AND j.state IN ('GRANTED', 'STARTING') "
        "AND j.orphaned_at IS NULL) RETURNING datastore_id",
        datastore_id=datastore_id,
    )
    return row is not None
