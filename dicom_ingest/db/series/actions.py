"""What operators do, written down: who, when, what and why.

Each change is one statement with its note: the RDS Data API commits every statement by itself.
"""

from __future__ import annotations

from dicom_ingest.db.server.connection import Connection

SOMEBODY = "an operator"
"""Who it was, where the caller does not say."""

_NOTE = """
INSERT INTO operator_action (who, action, series_transfer_pk, reason, transfer_id, series_instance_uid)
VALUES (:who, :action, :pk, :reason, CAST(:transfer AS uuid), CAST(:series AS text))
"""
_ACKNOWLEDGE = """
WITH done AS (
    UPDATE series_transfer SET acknowledged_at = CASE WHEN :undo THEN NULL ELSE clock_timestamp() END
    WHERE pk = :pk AND state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN', 'PARTIAL', 'NON_PRIMARY')
        AND (acknowledged_at IS NOT NULL AND acknowledged_at >= over_at) = :undo
    RETURNING pk)
INSERT INTO operator_action (who, action, series_transfer_pk, reason)
SELECT :who, :action, pk, :reason FROM done RETURNING pk
"""


def noting(update: str, action: str, reason: str = "''") -> str:
    """A statement that does `update` and writes down each row that it changed; it returns their `pk`.

    `update` returns pk, series_transfer_pk and datastore_id; `action` and `reason` are SQL expressions.
    """
    return (
        f"WITH done AS ({update}), noted AS ("
        "INSERT INTO operator_action (who, action, series_transfer_pk, datastore_id, reason) "
        f"SELECT CAST(:who AS text), {action}, series_transfer_pk, datastore_id, {reason} FROM done) "
        "SELECT pk FROM done"
    )


def note(
    connection: Connection,
    who: str,
    action: str,
    *,
    pk: int | None = None,
    transfer: str | None = None,
    series: str | None = None,
    reason: str = "",
) -> None:
    """Write down what was done to a series transfer outside the database.

    `transfer` and `series` name one that the index may not know yet.
    """
    connection.run(_NOTE, who=who, action=action, pk=pk, reason=reason, transfer=transfer, series=series)


def acknowledge(connection: Connection, pk: int, who: str, why: str, *, undo: bool = False) -> bool:
    """Take an ended series transfer off the list that needs attention, or (`undo`) put it back.

    False if it does not need attention, or (`undo`) was not acknowledged. An acknowledgement ends when the
    series transfer ends once more.
    """
    action = "acknowledgement undone" if undo else "acknowledged"
    found = connection.run(_ACKNOWLEDGE, pk=pk, who=who, action=action, reason=why, undo=undo)
    return bool(found)
