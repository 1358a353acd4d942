"""Storage commitment requests in the journal: accepted durably, reported once, retried over restarts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge_component.journal.database import count, transaction
from edge_component.records.commitment import Reference, Request


@dataclass(frozen=True)
class OpenCommitment:
    """A request whose report has not been delivered."""

    commitment: int
    transaction_uid: str
    calling_ae: str
    association: str
    requested_at: float
    duplicate: bool
    references: tuple[Reference, ...]


def insert_request(
    journal: sqlite3.Connection, request: Request, calling_ae: str, association: str, now: float
) -> None:
    """Write a request down, within the caller's transaction.

    The same request again, while it is open, is the sender's retry; another one under the same transaction
    UID is a duplicate and will be told so (failure reason 0131).
    """
    same = journal.execute(
        """SELECT commitment FROM commitment
            WHERE transaction_uid = ? AND calling_ae = ? AND reported_at IS NULL""",
        (request.transaction_uid, calling_ae),
    ).fetchone()
    if same is not None and _references(journal, same["commitment"]) == request.references:
        journal.execute(
            "UPDATE commitment SET association = ? WHERE commitment = ?", (association, same["commitment"])
        )
        return
    cursor = journal.execute(
        """INSERT INTO commitment (transaction_uid, calling_ae, association, requested_at, duplicate)
           VALUES (?, ?, ?, ?, ?)""",
        (request.transaction_uid, calling_ae, association, now, same is not None),
    )
    journal.executemany(
        "INSERT INTO commitment_reference VALUES (?, ?, ?, ?)",
        [
            (cursor.lastrowid, number, reference.sop_class_uid, reference.sop_instance_uid)
            for number, reference in enumerate(request.references)
        ],
    )


def open_after(
    journal: sqlite3.Connection, after: int, senders: Sequence[str], *, others: bool
) -> list[tuple[int, float]]:
    """Number and time of the open requests that came after this one, oldest first.

    Of these senders, or of all others.
    """
    rows = journal.execute(
        """SELECT commitment, requested_at FROM commitment
            WHERE reported_at IS NULL AND commitment > ?
              AND (calling_ae IN (SELECT value FROM json_each(?))) = ?
            ORDER BY commitment""",
        (after, json.dumps(list(senders)), not others),
    )
    return [(row[0], row[1]) for row in rows]


def open_commitment(journal: sqlite3.Connection, commitment: int) -> OpenCommitment | None:
    """A request as it is now; None: it has been reported."""
    row = journal.execute(
        "SELECT * FROM commitment WHERE commitment = ? AND reported_at IS NULL", (commitment,)
    ).fetchone()
    if row is None:
        return None
    return OpenCommitment(
        row["commitment"],
        row["transaction_uid"],
        row["calling_ae"],
        row["association"],
        row["requested_at"],
        bool(row["duplicate"]),
        _references(journal, row["commitment"]),
    )


def close_commitment(journal: sqlite3.Connection, commitment: int, now: float, *, delivered: bool) -> None:
    """The report was delivered, or given up."""
    with transaction(journal):
        journal.execute("UPDATE commitment SET reported_at = ? WHERE commitment = ?", (now, commitment))
        journal.execute("DELETE FROM commitment_reference WHERE commitment = ?", (commitment,))
        count(journal, "commitments_reported" if delivered else "commitments_given_up")


def _references(journal: sqlite3.Connection, commitment: int) -> tuple[Reference, ...]:
    rows = journal.execute(
        """SELECT sop_class_uid, sop_instance_uid FROM commitment_reference
            WHERE commitment = ? ORDER BY number""",
        (commitment,),
    )
    return tuple(Reference(*row) for row in rows)
