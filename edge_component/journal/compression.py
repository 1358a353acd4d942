"""Which instances wait to be compressed, and what came of it. All belong into the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from edge_component.journal.database import count
from edge_component.journal.instances import Assigned, hashed

Why = Literal["not_compressible", "differs", "too_large", "no_encoder", "crashed", "error"]
"""Why an instance goes as it was received. Each has a counter, `sent_as_received_{why}`."""


@dataclass(frozen=True)
class Wanted:
    """An instance that is to be compressed before it is sent."""

    instance: int
    file: str
    bytes: int
    file_crc32: int


@dataclass(frozen=True)
class Copy:
    """A compressed copy that was proved: what it is, and the hash of what was received."""

    received_sha256: str
    transfer_syntax_uid: str
    bytes: int
    sha256: str


def wanted(journal: sqlite3.Connection, limit: int) -> list[Wanted]:
    """Live before bulk, series by series."""
    return [Wanted(**dict(row)) for row in journal.execute(WANTED, (limit,))]


def compressed(journal: sqlite3.Connection, one: Wanted, copy: Copy) -> None:
    """Its copy is in the spool, and is sent in its place."""
    changed = journal.execute(
        """UPDATE instance SET compress = 0, stored_transfer_syntax_uid = ?, stored_bytes = ?,
                  stored_sha256 = ?
            WHERE instance = ? AND state = 'assigned' AND compress = 1""",
        (copy.transfer_syntax_uid, copy.bytes, copy.sha256, one.instance),
    ).rowcount
    if changed:
        hashed(journal, one.instance, copy.received_sha256)
        count(journal, "instances_compressed")
        count(journal, "compressed_bytes_before", one.bytes)
        count(journal, "compressed_bytes_after", copy.bytes)


def as_received(journal: sqlite3.Connection, one: Wanted, why: Why) -> None:
    """It is not compressed, and goes as it came."""
    changed = journal.execute(
        "UPDATE instance SET compress = 0 WHERE instance = ? AND state = 'assigned' AND compress = 1",
        (one.instance,),
    ).rowcount
    count(journal, f"sent_as_received_{why}", changed)


def again(journal: sqlite3.Connection, one: Assigned) -> None:
    """Its copy is gone or damaged, and S3 has none of it: compress what was received again."""
    journal.execute(
        """UPDATE instance SET state = 'assigned', compress = 1, stored_transfer_syntax_uid = NULL,
                  stored_bytes = NULL, stored_sha256 = NULL
            WHERE instance = ? AND state = 'sending'""",
        (one.instance,),
    )
    count(journal, "upload_retries")


def bytes_ahead(journal: sqlite3.Connection) -> int:
    """Of all copies that wait for their upload."""
    found: int = journal.execute(AHEAD).fetchone()[0]
    return found


def files(journal: sqlite3.Connection) -> set[str]:
    """The places of all instances whose copy waits for its upload."""
    rows = journal.execute(f"SELECT file FROM instance WHERE {WAITS}")  # noqa: S608 - SQL of our own
    return {row[0] for row in rows}


WAITS = "stored_bytes IS NOT NULL AND state IN ('assigned', 'sending')"
AHEAD = f"SELECT coalesce(sum(stored_bytes), 0) FROM instance INDEXED BY instance_compressed WHERE {WAITS}"  # noqa: S608
WANTED = """
SELECT instance, file, bytes, file_crc32 FROM instance INDEXED BY instance_to_compress
 WHERE state = 'assigned' AND compress = 1 ORDER BY bulk, sequence, instance LIMIT ?
"""
