"""From *received* to *assigned* or *duplicate*."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from edge_component.journal.database import count
from edge_component.journal.instances.duplicates import release_duplicates
from edge_component.journal.instances.errors import StateError
from edge_component.records.rows import Arrival, InstanceRow


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
    """What has no place yet, in the order of receipt, and who sent it.

    `again`: the edge has, or had, another instance with this SOP Instance UID.
    """
    return journal.execute(
        """SELECT i.instance, i.file, i.bytes, i.file_crc32, i.received_at, i.study_instance_uid,
                  i.series_instance_uid, i.sop_instance_uid, a.calling_ae,
                  EXISTS (SELECT 1 FROM instance o
                           WHERE o.sop_instance_uid = i.sop_instance_uid AND o.instance != i.instance)
                  OR EXISTS (SELECT 1 FROM receipt r
                              WHERE r.sop_instance_uid = i.sop_instance_uid) AS again
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
    sha256: str | None = None,
    problem: str | None = None,
    *,
    bulk: bool = False,
    compress: bool = False,
) -> None:
    """Give a received instance its place. `sha256`: of its file, where it is known; `problem`: why
    it will not be sent.

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
        release_duplicates(journal, "instance = ?", instance)


def _one(cursor: sqlite3.Cursor, instance: int) -> None:
    if cursor.rowcount != 1:
        raise StateError(f"instance {instance} is not in the state that its owner left it in")


INSERT = f"""INSERT INTO instance ({", ".join(InstanceRow._fields)})
    VALUES ({", ".join("?" * len(InstanceRow._fields))})
    ON CONFLICT (file) DO NOTHING"""  # noqa: S608 - our own field names
