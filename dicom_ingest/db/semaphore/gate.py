"""The gate of a data store: closed while the store itself is broken, so that no night's queue is burnt."""

from __future__ import annotations

from dicom_ingest.db.server.connection import Connection

FAILED_IMPORTS = 3
"""So many imports that failed as a whole, in a row, are the data store's fault: its role, its key, itself."""

_CLOSE = """
UPDATE semaphore SET gate = 'CLOSED', gate_reason = :reason,
    gate_closed_at = COALESCE(gate_closed_at, clock_timestamp()), updated_at = clock_timestamp()
WHERE datastore_id = :datastore_id
"""

_STARTED = """
UPDATE semaphore SET gate = 'OPEN', gate_reason = NULL, gate_closed_at = NULL, updated_at = clock_timestamp()
WHERE datastore_id = :datastore_id AND gate = 'CLOSED' AND failed_imports < :limit
"""

# One more failure closes it again: that the data store answers says nothing about its role or key.
_PROBED = """
UPDATE semaphore SET gate = 'OPEN', gate_reason = NULL, gate_closed_at = NULL,
    failed_imports = LEAST(failed_imports, :limit - 1), updated_at = clock_timestamp()
WHERE datastore_id = :datastore_id AND gate = 'CLOSED'
"""

_FAILED = """
UPDATE semaphore SET failed_imports = failed_imports + 1, updated_at = clock_timestamp(),
    gate = CASE WHEN failed_imports + 1 < :limit THEN gate ELSE 'CLOSED' END,
    gate_reason = CASE WHEN failed_imports + 1 < :limit OR gate = 'CLOSED' THEN gate_reason ELSE :reason END,
    gate_closed_at = CASE WHEN failed_imports + 1 < :limit THEN gate_closed_at
                          ELSE COALESCE(gate_closed_at, clock_timestamp()) END
WHERE datastore_id = :datastore_id RETURNING gate = 'CLOSED' AS closed
"""

_IMPORTED = """
UPDATE semaphore SET failed_imports = 0, updated_at = clock_timestamp(),
    gate = CASE WHEN failed_imports < :limit THEN gate ELSE 'OPEN' END,
    gate_reason = CASE WHEN failed_imports < :limit THEN gate_reason END,
    gate_closed_at = CASE WHEN failed_imports < :limit THEN gate_closed_at END
WHERE datastore_id = :datastore_id AND failed_imports > 0
"""

_NEEDS_PROBE = """
UPDATE semaphore s SET gate_probed_at = clock_timestamp()
WHERE datastore_id = :datastore_id AND gate = 'CLOSED' AND (failed_imports >= :limit OR NOT EXISTS (
    SELECT FROM ahlijob j WHERE j.datastore_id = s.datastore_id AND j.holds_slot
      AND j.state IN ('GRANTED', 'STARTING')
    AND NOT j.asleep AND j.orphaned_at IS NULL))
RETURNING datastore_id
"""


def close(connection: Connection, datastore_id: str, reason: str) -> None:
    """No grants until a start or a probe finds the data store well."""
    connection.run(_CLOSE, datastore_id=datastore_id, reason=reason)


def started(connection: Connection, datastore_id: str) -> None:
    """The data store took an import, which opens a gate that refused starts."""
    connection.run(_STARTED, datastore_id=datastore_id, limit=FAILED_IMPORTS)


def probed(connection: Connection, datastore_id: str) -> None:
    """The data store answers that it is well: imports may be tried."""
    connection.run(_PROBED, datastore_id=datastore_id, limit=FAILED_IMPORTS)


def import_failed(connection: Connection, datastore_id: str, message: str | None) -> bool:
    """An import failed as a whole; True where the gate is closed now, so that its series is not to blame."""
    reason = (
        f"{FAILED_IMPORTS} imports in a row failed as a whole, the last one: {message or 'without a word'}"
    )
    row = connection.one(_FAILED, datastore_id=datastore_id, limit=FAILED_IMPORTS, reason=reason)
    return bool(row and row["closed"])


def imported(connection: Connection, datastore_id: str) -> None:
    """An import brought something in: failures before it were not the data store's."""
    connection.run(_IMPORTED, datastore_id=datastore_id, limit=FAILED_IMPORTS)


def needs_probe(connection: Connection, datastore_id: str) -> bool:
    """Whether it is closed and no execution tries a start of its own, which is the better probe.

    GetDatastore says nothing about the import role: opening on its word alone would close and open for ever.
    """
    return connection.one(_NEEDS_PROBE, datastore_id=datastore_id, limit=FAILED_IMPORTS) is not None
