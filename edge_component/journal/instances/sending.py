"""Between *assigned*, *sending* and *uploaded*."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_component.journal.chain import withdraw
from edge_component.journal.database import count
from edge_component.journal.instances.duplicates import change_files, release_duplicates


@dataclass(frozen=True)
class Assigned:
    """An instance that has its place in a series transfer and is not in S3."""

    instance: int
    sequence: int
    file: str
    bytes: int
    file_crc32: int
    file_sha256: str | None
    """None: it is read for the first time."""
    upload_id: str | None
    unsure: bool
    transfer_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    stored_bytes: int | None = None
    stored_sha256: str | None = None
    """Of the compressed copy that goes in its place; None: it goes as it was received."""
    bulk: bool = False
    sealed: bool = False
    unsent: int = 1
    """Of its series, with itself: what is not in S3."""

    @property
    def compressed(self) -> bool:
        """Whether a compressed copy goes in its place."""
        return self.stored_sha256 is not None


def to_send(journal: sqlite3.Connection, limit: int, *, bulk: bool) -> list[Assigned]:
    """Candidates of one priority: of the oldest series, and of complete ones with the fewest images left."""
    found: dict[int, Assigned] = {}
    for query in (OLDEST_SERIES, ENDING_SERIES):
        for row in journal.execute(query, (bulk, limit)):
            flags = {name: bool(row[name]) for name in ("unsure", "bulk", "sealed")}
            found[row["instance"]] = Assigned(**{**dict(row), **flags})
    return list(found.values())


def is_assigned(journal: sqlite3.Connection, instance: int | str) -> bool:
    """Whether it is still to be sent."""
    found = journal.execute(
        "SELECT 1 FROM instance WHERE instance = ? AND state IN ('assigned', 'sending')", (instance,)
    ).fetchone()
    return found is not None


def claim(journal: sqlite3.Connection, wanted: Sequence[Assigned]) -> list[Assigned]:
    """Journal an attempt for each, before its first byte. Returns those that are still to be sent."""
    return [one for one in wanted if _changed(journal, one, "'sending'", "'assigned'")]


def hand_back(journal: sqlite3.Connection, claimed: Iterable[Assigned]) -> None:
    """No attempt was made after all."""
    for one in claimed:
        _changed(journal, one, "'assigned'", "'sending'")


def interrupted(journal: sqlite3.Connection) -> int:
    """At the start of the one process that sends: attempts of the last one may have reached S3."""
    return journal.execute(
        "UPDATE instance SET state = 'assigned', unsure = 1 WHERE state = 'sending'"
    ).rowcount


def upload_begun(journal: sqlite3.Connection, one: Assigned, upload_id: str | None) -> None:
    """A multipart upload; None: S3 does not know it any more."""
    journal.execute(
        "UPDATE instance SET upload_id = ? WHERE instance = ? AND state = 'sending'",
        (upload_id, one.instance),
    )


def uploaded(journal: sqlite3.Connection, one: Assigned) -> bool:
    """S3 has it, below the key that was claimed. False: its series goes under another key by now."""
    done = _changed(journal, one, UPLOADED, "'sending'", one.file_sha256, one.file_sha256)
    if done:
        count(journal, "instances_uploaded")
        release_duplicates(journal, "twin = ?", one.instance)
    return done


def not_uploaded(
    journal: sqlite3.Connection,
    one: Assigned,
    because: str,
    *,
    problem: str | None = None,
    damaged: bool = False,
    unsure: bool = False,
) -> None:
    """An attempt failed. `problem`: it is the instance's own fault, or its file's, which is `damaged`.

    `unsure`: S3 may have it all the same.
    """
    journal.execute(
        """UPDATE instance SET state = 'assigned', problem = ?, waits_because = ?, unsure = unsure OR ?
            WHERE instance = ? AND state = 'sending'""",
        (problem, because, unsure, one.instance),
    )
    count(journal, "upload_retries")
    if damaged:
        change_files(journal, one.instance)


def redraw(journal: sqlite3.Connection, sequence: int, transfer_id: str) -> str | None:
    """Send a whole series transfer under a new transfer id. Returns it; None: done already, or announced.

    Under its old key there is an object that is not the edge's, perhaps one that is announced already. So
    nothing more is written there (PROTOCOL: immutable once announced), and what was is not announced.
    """
    new = str(uuid.uuid4())
    changed = journal.execute(
        """UPDATE series_transfer SET transfer_id = ?, built = 0, transfer_series = NULL
            WHERE sequence = ? AND transfer_id = ? AND announced_at IS NULL""",
        (new, sequence, transfer_id),
    )
    if changed.rowcount != 1:
        return None
    withdraw(journal, sequence)
    journal.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))
    # What is left below the old prefix must not be imported with the rest of that transfer.
    journal.execute("UPDATE series_transfer SET closable = 0 WHERE transfer_id = ?", (transfer_id,))
    # Later versions of its instances come after it, whatever it is called.
    journal.execute(
        """UPDATE series_transfer SET after = replace(after, ?1, ?2) WHERE announced_at IS NULL AND NOT built
            AND series_instance_uid =
                (SELECT series_instance_uid FROM series_transfer WHERE sequence = ?3)""",
        (transfer_id, new, sequence),
    )
    journal.execute(
        # Compressed copies of what was uploaded are gone: they are made again.
        """UPDATE instance SET state = 'assigned', upload_id = NULL, unsure = 0,
               compress = compress OR stored_sha256 IS NOT NULL,
               stored_transfer_syntax_uid = NULL, stored_bytes = NULL, stored_sha256 = NULL
            WHERE sequence = ? AND state IN ('assigned', 'sending', 'uploaded', 'missing')""",
        (sequence,),
    )
    return new


def _changed(journal: sqlite3.Connection, one: Assigned, to: str, state: str, *values: str | None) -> bool:
    """`to`, `state`: SQL of our own, with values. Only below the key under which it was read."""
    return (
        journal.execute(
            f"""UPDATE instance SET state = {to} WHERE instance = ? AND state = {state} AND sequence =
                (SELECT sequence FROM series_transfer WHERE sequence = ? AND transfer_id = ?)""",  # noqa: S608
            (*values, one.instance, one.sequence, one.transfer_id),
        ).rowcount
        == 1
    )


UPLOADED = """'uploaded', problem = NULL, waits_because = NULL,
    file_sha256 = coalesce(file_sha256, ?), dataset_sha256 = coalesce(dataset_sha256, ?)"""
CANDIDATE = """
SELECT i.instance, i.sequence, i.file, i.bytes, i.file_crc32, i.file_sha256, i.upload_id, i.unsure,
       t.transfer_id, t.study_instance_uid, t.series_instance_uid, i.sop_instance_uid,
       i.stored_bytes, i.stored_sha256, i.bulk, t.sealed_at IS NOT NULL AS sealed, t.unsent
"""
OLDEST_SERIES = f"""{CANDIDATE}
  FROM instance i JOIN series_transfer t USING (sequence)
 WHERE i.state = 'assigned' AND i.compress = 0 AND i.bulk = ?1 ORDER BY i.sequence, i.instance LIMIT ?2
"""
ENDING_SERIES = f"""{CANDIDATE}
  FROM (SELECT * FROM series_transfer
         WHERE announced_at IS NULL AND sealed_at IS NOT NULL AND built = 0 AND unsent > 0
           AND (bulk_ae IS NOT NULL) = ?1 ORDER BY unsent LIMIT 16) t
  JOIN instance i USING (sequence)
 WHERE i.state = 'assigned' AND i.compress = 0 AND i.bulk = ?1 LIMIT ?2
"""  # noqa: S608
