"""What UpdateImageSetMetadata, CopyImageSet and DeleteImageSet share: locks, versions, outcomes."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..dicom.identities import Identity
from ..service import errors
from ..state.core import Core
from ..state.image_set_events import announce
from ..state.store import Row, pack, unpack
from ..state.summary import describe

EVENTS = {
    "UPDATING": "Image Set Updating",
    "UPDATING_FOR_STUDY_CONSISTENCY": "Image Set Updating",
    "UPDATED": "Image Set Updated",
    "UPDATE_FAILED": "Image Set Update Failed",
    "COPYING": "Image Set Copying",
    "COPYING_WITH_READ_ONLY_ACCESS": "Image Set Copying With Read Only Access",
    "COPIED": "Image Set Copied",
    "COPY_FAILED": "Image Set Copy Failed",
    "DELETING": "Image Set Deleting",
    "DELETED": "Image Set Deleted",
}


class WriteFailed(Exception):  # noqa: N818 - an outcome: the image set keeps its content and this message
    """An accepted write that turns out to be impossible."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"INVALID_REQUEST: {reason}")


def lock(
    core: Core, db: sqlite3.Connection, datastore_id: str, image_set_id: str, latest: str | None, status: str
) -> Row:
    """Locks an image set for a write that will set `status`; the row as it was, with `workflow_status`.

    Raises 404 (unknown, deleted, not the latest version), 409 (locked) or 402 (too many such writes).
    """
    image_set: Row | None = db.execute(
        "SELECT s.*, v.workflow_status FROM image_set s JOIN image_set_version v ON v.image_set_id = s.id"
        " AND v.version = s.version WHERE s.id = ? AND datastore_id = ? AND state <> 'DELETED'",
        (image_set_id, datastore_id),
    ).fetchone()
    if image_set is None:
        raise errors.not_found(f"ImageSet {image_set_id} does not exist")
    if image_set["state"] == "LOCKED":
        raise errors.conflict(f"ImageSet {image_set_id} is LOCKED by another operation")
    if latest is not None and int(latest) != image_set["version"]:
        raise errors.not_found("Requested version(s) of ImageSet(s) is not the latest.")
    _check_quota(core, db, datastore_id, status)
    db.execute("UPDATE image_set SET state = 'LOCKED' WHERE id = ?", (image_set_id,))
    return image_set


def _check_quota(core: Core, db: sqlite3.Connection, datastore_id: str, status: str) -> None:
    limit = core.settings.limits.concurrent_writes
    running = db.execute(
        "SELECT count(*) FROM image_set s JOIN image_set_version v ON v.image_set_id = s.id"
        " AND v.version = s.version WHERE datastore_id = ? AND state = 'LOCKED' AND workflow_status = ?",
        (datastore_id, status),
    ).fetchone()[0]
    if running >= limit:
        raise errors.quota_exceeded(f"The quota of {limit} concurrent writes of this kind is used up")


def set_status(
    core: Core, db: sqlite3.Connection, image_set_id: str, status: str, message: str | None = None
) -> None:
    """Set the latest version's workflow status, which updates the version."""
    db.execute(
        "UPDATE image_set_version SET workflow_status = ?, message = ?, updated_at = ? WHERE image_set_id = ?"
        " AND version = (SELECT version FROM image_set WHERE id = ?)",
        (status, message, core.clock.now(), image_set_id, image_set_id),
    )


def add_version(core: Core, db: sqlite3.Connection, image_set_id: str, status: str, *, forced: bool) -> int:
    """A new latest version with the content of the one before; its number."""
    now = core.clock.now()
    db.execute(
        "INSERT INTO image_set_version SELECT image_set_id, version + 1, ?, ?, NULL, ?, is_primary, levels"
        " FROM image_set_version WHERE image_set_id = ?"
        " AND version = (SELECT version FROM image_set WHERE id = ?)",
        (status, now, forced or None, image_set_id, image_set_id),
    )
    db.execute("UPDATE image_set SET version = version + 1, updated_at = ? WHERE id = ?", (now, image_set_id))
    return int(db.execute("SELECT version FROM image_set WHERE id = ?", (image_set_id,)).fetchone()[0])


def latest_levels(db: sqlite3.Connection, image_set_id: str) -> Any:
    """The normalised levels of the latest version."""
    row = db.execute(
        "SELECT levels FROM image_set_version v JOIN image_set s ON s.id = v.image_set_id"
        " AND s.version = v.version WHERE s.id = ?",
        (image_set_id,),
    ).fetchone()
    return unpack(row["levels"])


def write_levels(core: Core, db: sqlite3.Connection, image_set_id: str, levels: Any) -> None:
    """Replaces the latest version's levels and what follows from them."""
    version = db.execute("SELECT version FROM image_set WHERE id = ?", (image_set_id,)).fetchone()[0]
    db.execute(
        "UPDATE image_set_version SET levels = ? WHERE image_set_id = ? AND version = ?",
        (pack(levels), image_set_id, version),
    )
    identity = Identity.of(levels)
    db.execute(
        "UPDATE image_set SET study_uid = ?, series_uid = ?, study_identity = ?, series_identity = ?,"
        " levels_updated = 1 WHERE id = ?",
        (identity.study_uid, identity.series_uid, identity.study, identity.series, image_set_id),
    )
    describe(db, image_set_id, version, levels, core.clock.now())


def unlock(
    core: Core, image_set_id: str, status: str, message: str | None = None, source: str | None = None
) -> None:
    """Ends a write: the image set is ACTIVE again, its latest version tells the outcome."""
    with core.store.transaction() as db:
        db.execute("UPDATE image_set SET state = 'ACTIVE' WHERE id = ?", (image_set_id,))
        set_status(core, db, image_set_id, status, message)
    if status in EVENTS:
        announce(core, image_set_id, EVENTS[status], source)


def resume(core: Core) -> None:
    """Ends the writes of an earlier process: what was not done has failed."""
    interrupted = core.store.all(
        "SELECT s.id, v.workflow_status FROM image_set s JOIN image_set_version v ON v.image_set_id = s.id"
        " AND v.version = s.version WHERE s.state = 'LOCKED' AND v.workflow_status <> 'DELETING'"
    )
    for row in interrupted:
        outcome = {
            "COPYING": "COPY_FAILED",
            "COPYING_WITH_READ_ONLY_ACCESS": "COPIED",
        }.get(row["workflow_status"], "UPDATE_FAILED")
        unlock(
            core, row["id"], outcome, None if outcome == "COPIED" else "INTERNAL_SERVER_ERROR: interrupted"
        )
