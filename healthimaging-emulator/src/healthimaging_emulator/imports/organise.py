"""The second half of an import: staged instances become image sets, all at once.

One primary image set per series; what conflicts with primaries goes to non-primary sets, one per variant
and job; an instance that is imported again replaces the older one in a new version.
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass

from ..state.core import Core
from ..state.image_set_events import announce
from ..state.store import Row, unpack
from ..state.summary import describe
from .scan import JobFailed


class Locked(Exception):  # noqa: N818 - the import waits and tries again
    """An image set to merge into is being updated, copied or deleted."""


@dataclass(frozen=True)
class Target:
    """The image set version that a group of staged instances goes into."""

    image_set_id: str
    version: int
    is_primary: bool


def organise(core: Core, job: Row) -> None:
    """Merges a job's staged instances; raises Locked, and JobFailed beyond the metadata quota."""
    targets: list[Target] = []
    with core.store.transaction() as db:
        for group in _groups(db, job["id"]):
            if group["size"] > core.settings.limits.metadata_bytes_per_import:
                raise JobFailed("IMAGE_SET_METADATA_SIZE_LIMIT_EXCEEDED")
            target = _target(core, db, job["datastore_id"], group)
            _fill(core, db, job, group, target)
            targets.append(target)
        db.execute("UPDATE job SET organised = 1 WHERE id = ?", (job["id"],))
    for target in targets:
        merged = core.settings.behaviour.merge_event
        announce(core, target.image_set_id, "Image Set Created" if target.version == 1 else merged)


def _groups(db: sqlite3.Connection, job_id: str) -> list[Row]:
    """Staged instances with equal identity: the first one in key order decides which group comes first."""
    return db.execute(
        "SELECT study_uid, series_uid, study_identity, series_identity, min(key) AS first_key,"
        " max(key) AS last_key, sum(document_size) AS size FROM staged WHERE job_id = ?"
        " GROUP BY study_uid, series_uid, study_identity, series_identity ORDER BY first_key",
        (job_id,),
    ).fetchall()


def _target(core: Core, db: sqlite3.Connection, datastore_id: str, group: Row) -> Target:
    primary = db.execute(
        "SELECT * FROM image_set WHERE datastore_id = ? AND series_uid = ?"
        " AND is_primary AND state <> 'DELETED'",
        (datastore_id, group["series_uid"]),
    ).fetchone()
    if primary is not None and _same_identity(primary, group):
        if primary["state"] == "LOCKED":
            raise Locked(primary["id"])
        return Target(primary["id"], primary["version"] + 1, is_primary=True)
    fits = primary is None and not _conflicts_with_study(core, db, datastore_id, group)
    return Target(uuid.uuid4().hex, 1, is_primary=fits)


def _same_identity(image_set: Row, group: Row) -> bool:
    return all(image_set[name] == group[name] for name in ("study_identity", "series_identity"))


def _conflicts_with_study(core: Core, db: sqlite3.Connection, datastore_id: str, group: Row) -> bool:
    if core.settings.behaviour.conflict_scope == "series":
        return False
    other = db.execute(
        "SELECT 1 FROM image_set WHERE datastore_id = ? AND study_uid = ? AND study_identity <> ?"
        " AND is_primary AND state <> 'DELETED'",
        (datastore_id, group["study_uid"], group["study_identity"]),
    ).fetchone()
    return other is not None


def _fill(core: Core, db: sqlite3.Connection, job: Row, group: Row, target: Target) -> None:
    job_id = job["id"]
    keep_first = core.settings.behaviour.normalised_levels == "first"
    levels = _levels(db, job_id, group["first_key"] if keep_first else group["last_key"])
    now = core.clock.now()
    if target.version == 1:
        _insert(db, job["datastore_id"], group, target, now)
    elif keep_first:
        levels = db.execute(
            "SELECT levels FROM image_set_version WHERE image_set_id = ? AND version = ?",
            (target.image_set_id, target.version - 1),
        ).fetchone()["levels"]
    status = "CREATED" if target.version == 1 else "UPDATED"
    db.execute(
        "INSERT INTO image_set_version VALUES (?, ?, ?, ?, NULL, NULL, ?, ?)",
        (
            target.image_set_id, target.version, status, now if target.version > 1 else None,
            target.is_primary, levels,
        ),
    )  # fmt: skip
    describe(db, target.image_set_id, target.version, unpack(levels), now)
    _move_staged(db, job_id, group, target)


def _levels(db: sqlite3.Connection, job_id: str, key: str) -> bytes:
    found: bytes = db.execute(
        "SELECT levels FROM staged WHERE job_id = ? AND key = ?", (job_id, key)
    ).fetchone()["levels"]
    return found


def _insert(db: sqlite3.Connection, datastore_id: str, group: Row, target: Target, now: float) -> None:
    db.execute(
        "INSERT INTO image_set VALUES (?, ?, ?, ?, ?, ?, ?, 1, 'ACTIVE', ?, ?, ?, NULL, '', '{}', 0)",
        (
            target.image_set_id, datastore_id, group["study_uid"], group["series_uid"],
            group["study_identity"], group["series_identity"], target.is_primary, now, now, now,
        ),
    )  # fmt: skip


def _move_staged(db: sqlite3.Connection, job_id: str, group: Row, target: Target) -> None:
    """Instances of the group into the version; of several files with one SOP Instance UID the last one."""
    chosen = (job_id, group["series_uid"], group["study_identity"], group["series_identity"])
    db.execute(
        "UPDATE staged SET image_set_id = ?, image_set_version = ?, is_primary = ?"
        " WHERE job_id = ? AND series_uid = ? AND study_identity = ? AND series_identity = ?",
        (target.image_set_id, target.version, target.is_primary, *chosen),
    )
    db.execute(
        "UPDATE instance SET until = ? WHERE image_set_id = ? AND until IS NULL"
        " AND sop_uid IN (SELECT sop_uid FROM staged WHERE job_id = ? AND image_set_id = ?)",
        (target.version, target.image_set_id, job_id, target.image_set_id),
    )
    db.execute(
        "INSERT INTO instance (image_set_id, sop_uid, since, document, blob, header)"
        " SELECT image_set_id, sop_uid, ?, document, blob, header FROM staged"
        " WHERE job_id = ? AND key IN"  # keys alone are sorted: whole rows would be held in memory
        " (SELECT max(key) FROM staged WHERE job_id = ? AND image_set_id = ? GROUP BY sop_uid)",
        (target.version, job_id, job_id, target.image_set_id),
    )
