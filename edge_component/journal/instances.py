"""The states of an instance, and every statement that changes one.

    received ──> assigned <──> sending ──> uploaded ──> announced ──> released
       │ ^          └──────> missing ────────────────────^
       v │
    duplicate ──> released

*received* its file and row are on the disk. *duplicate* it equals an instance that is not in S3 yet, and is
kept until that is. *assigned* it has a place in a series transfer. *sending* an attempt is journalled: what
S3 says next is believed. *uploaded* S3 has it. *missing* its series is announced without it. *announced* it
is a receipt, whose `file` says where its bytes are. *released* its bytes are not needed any more.

Each change names the state that it starts from, and counts its rows: what another owner has changed meanwhile
stays as it is. All of them belong into the caller's transaction.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_component.journal.chain import withdraw
from edge_component.journal.database import count
from edge_component.journal.releases import let_go
from edge_component.records.rows import Arrival, InstanceRow


class StateError(RuntimeError):
    """An instance is not in the state that its only owner left it in."""


@dataclass(frozen=True)
class Assigned:
    """An instance that has its place in a series transfer and is not in S3."""

    instance: int
    sequence: int
    file: str
    bytes: int
    file_sha256: str
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


# Received


def insert_instances(journal: sqlite3.Connection, epoch: int, arrivals: Sequence[Arrival]) -> None:
    """Rows of instances, and of their associations where these are new."""
    senders = {sender.association: sender for sender, _ in arrivals}
    journal.executemany(
        """INSERT INTO association (association, epoch, calling_ae, called_ae, peer, opened_at)
           VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (association) DO NOTHING""",
        [(s.association, epoch, s.calling_ae, s.called_ae, s.peer, s.opened_at) for s in senders.values()],
    )
    journal.executemany(INSERT, [row for _, row in arrivals])
    count(journal, "instances_received", len(arrivals))
    count(journal, "bytes_received", sum(row.bytes for _, row in arrivals))


def received(journal: sqlite3.Connection, limit: int) -> list[sqlite3.Row]:
    """What has no place yet, in the order of receipt, and who sent it."""
    return journal.execute(
        """SELECT i.instance, i.file, i.bytes, i.crc32, i.received_at, i.study_instance_uid,
                  i.series_instance_uid, i.sop_instance_uid, a.calling_ae
             FROM instance i JOIN association a USING (association)
            WHERE i.state = 'received' ORDER BY i.instance LIMIT ?""",
        (limit,),
    ).fetchall()


def postponed(journal: sqlite3.Connection, instance: int, problem: str) -> None:
    """A received instance cannot be read at present."""
    journal.execute(
        "UPDATE instance SET problem = ?1 WHERE instance = ?2 AND state = 'received' AND problem IS NOT ?1",
        (problem, instance),
    )


def assign(
    journal: sqlite3.Connection,
    instance: int,
    sequence: int,
    sha256: str,
    problem: str | None = None,
    *,
    bulk: bool = False,
    compress: bool = False,
) -> None:
    """Give a received instance its place. `sha256`: of its file; `problem`: why it will not be sent.

    `bulk`: its sender's priority; `compress`: it is to be compressed before it is sent.
    """
    _one(
        journal.execute(
            """UPDATE instance SET state = 'assigned', sequence = ?, file_sha256 = ?, dataset_sha256 = ?,
                      problem = ?, bulk = ?, compress = ? WHERE instance = ? AND state = 'received'""",
            (sequence, sha256, sha256, problem, bulk, compress and problem is None, instance),
        ),
        instance,
    )


def duplicate(journal: sqlite3.Connection, instance: int, twin: int | None, sha256: str) -> None:
    """A received instance equals another. Its bytes stay until its `twin` is in S3; None: it is there."""
    _one(
        journal.execute(
            """UPDATE instance SET state = 'duplicate', twin = ?, file_sha256 = ?, dataset_sha256 = ?,
                      problem = NULL WHERE instance = ? AND state = 'received'""",
            (twin, sha256, sha256, instance),
        ),
        instance,
    )
    if twin is None:
        _release_duplicates(journal, "instance = ?", instance)


# Sent


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
    done = _changed(journal, one, "'uploaded', problem = NULL, waits_because = NULL", "'sending'")
    if done:
        count(journal, "instances_uploaded")
        _release_duplicates(journal, "twin = ?", one.instance)
    return done


def not_uploaded(
    journal: sqlite3.Connection,
    one: Assigned,
    because: str,
    *,
    problem: str | None = None,
    unsure: bool = False,
) -> None:
    """An attempt failed. `problem`: it is the instance's own fault; `unsure`: S3 may have it all the same."""
    journal.execute(
        """UPDATE instance SET state = 'assigned', problem = ?, waits_because = ?, unsure = unsure OR ?
            WHERE instance = ? AND state = 'sending'""",
        (problem, because, unsure, one.instance),
    )
    count(journal, "upload_retries")
    if problem is not None:
        _welcome_duplicates(journal, "twin = ?", one.instance)


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


# Announced


def missing(journal: sqlite3.Connection, sequence: int) -> None:
    """A series goes without those of its instances that cannot be sent."""
    _welcome_duplicates(
        journal,
        "twin IN (SELECT instance FROM instance WHERE sequence = ? AND state = 'assigned')",
        sequence,
    )
    journal.execute(
        "UPDATE instance SET state = 'missing' WHERE sequence = ? AND state = 'assigned'", (sequence,)
    )


def announced(journal: sqlite3.Connection, sequence: int, now: float) -> None:
    """Instances become receipts, without names; the outbox row leaves.

    Raises:
        StateError: one of its instances is neither in S3 nor said to be missing.
    """
    journal.execute(
        """INSERT INTO receipt (sop_instance_uid, sequence, sop_class_uid, dataset_sha256,
                                announced_at, uploaded, bytes, file, crc32)
           SELECT sop_instance_uid, sequence, sop_class_uid, dataset_sha256,
                  ?, state = 'uploaded', bytes, file, crc32
             FROM instance WHERE sequence = ?""",
        (now, sequence),
    )
    gone = {
        state: journal.execute(
            "DELETE FROM instance WHERE sequence = ? AND state = ?", (sequence, state)
        ).rowcount
        for state in ("uploaded", "missing")
    }
    if journal.execute("SELECT 1 FROM instance WHERE sequence = ?", (sequence,)).fetchone():
        raise StateError(f"series transfer {sequence} is announced with instances that are still to be sent")
    journal.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))
    journal.execute(
        "UPDATE series_transfer SET announced_at = ?, problem = NULL WHERE sequence = ?", (now, sequence)
    )
    count(journal, "instances_announced", gone["uploaded"])
    count(journal, "instances_missing", gone["missing"])
    count(journal, "series_announced")


def released(journal: sqlite3.Connection, files: Sequence[str]) -> None:
    """Announced instances whose bytes are in S3, or aside."""
    journal.executemany("UPDATE receipt SET file = NULL WHERE file = ?", [(file,) for file in files])
    let_go(journal, files)


def _changed(journal: sqlite3.Connection, one: Assigned, to: str, state: str) -> bool:
    """`to`, `state`: SQL of our own. Only below the key under which it was read."""
    return (
        journal.execute(
            f"""UPDATE instance SET state = {to} WHERE instance = ? AND state = {state} AND sequence =
                (SELECT sequence FROM series_transfer WHERE sequence = ? AND transfer_id = ?)""",  # noqa: S608
            (one.instance, one.sequence, one.transfer_id),
        ).rowcount
        == 1
    )


def _release_duplicates(journal: sqlite3.Connection, which: str, instance: int) -> None:
    files = [
        row["file"]
        for row in journal.execute(
            f"SELECT file FROM instance WHERE state = 'duplicate' AND {which}",  # noqa: S608 - SQL of our own
            (instance,),
        ).fetchall()
    ]
    journal.executemany("DELETE FROM instance WHERE file = ?", [(file,) for file in files])
    count(journal, "instances_duplicate", len(files))
    let_go(journal, files)


def _welcome_duplicates(journal: sqlite3.Connection, which: str, value: int) -> None:
    """Their twin cannot be sent: they are received again, and take its place."""
    journal.execute(
        f"UPDATE instance SET state = 'received', twin = NULL WHERE state = 'duplicate' AND {which}",  # noqa: S608
        (value,),
    )


def _one(cursor: sqlite3.Cursor, instance: int) -> None:
    if cursor.rowcount != 1:
        raise StateError(f"instance {instance} is not in the state that its owner left it in")


INSERT = f"""INSERT INTO instance ({", ".join(InstanceRow._fields)})
    VALUES ({", ".join("?" * len(InstanceRow._fields))})
    ON CONFLICT (file) DO NOTHING"""  # noqa: S608 - our own field names
CANDIDATE = """
SELECT i.instance, i.sequence, i.file, i.bytes, i.file_sha256, i.upload_id, i.unsure,
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
