"""CopyImageSet: into a new image set, into another one, or into the primary hierarchy."""

from __future__ import annotations

import sqlite3
import uuid

from ..datastores.datastores import find
from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.image_set_events import announce
from ..state.store import Row, unpack
from ..state.summary import describe
from .image_sets import require_image_set, require_version
from .patches import read
from .writes import EVENTS, WriteFailed, add_version, latest_levels, lock, set_status, unlock

Selection = frozenset[str] | None
"""The SOP Instance UIDs to copy; None: all."""


def copy_image_set(core: Core, request: Request) -> Answer:
    """Locks source and destination and copies in the background; raises 400, 402, 404 or 409."""
    find(core, request["datastoreId"])
    information = request["copyImageSetInformation"]
    selection = _selection(information["sourceImageSet"].get("DICOMCopies"))
    force = request.get("force", False)
    with core.store.transaction() as db:
        latest = information["sourceImageSet"]["latestVersionId"]
        status = "COPYING_WITH_READ_ONLY_ACCESS"
        source = lock(core, db, request["datastoreId"], request["sourceImageSetId"], latest, status)
        _check_frames(core, db, source, selection)
        set_status(core, db, source["id"], status)
        destination = _destination(core, db, request, source)
    announce(core, source["id"], EVENTS[status])
    announce(core, destination, EVENTS["COPYING"], source["id"])
    answer = {
        "datastoreId": request["datastoreId"],
        "sourceImageSetProperties": _properties(core, request["datastoreId"], source["id"]),
        "destinationImageSetProperties": _properties(core, request["datastoreId"], destination),
    }
    merges = "destinationImageSet" in information and not force
    core.background.after(
        core.settings.timing.write,
        f"copy-{destination}",
        lambda: _copy(core, source, destination, selection, compare=merges),
    )
    return answer


def _selection(copies: dict[str, str] | None) -> Selection:
    if copies is None:
        return None
    series = read(copies["copiableAttributes"]).Study.Series
    return frozenset(uid for each in series.values() for uid in each.Instances)


def _check_frames(core: Core, db: sqlite3.Connection, source: Row, selection: Selection) -> None:
    rows = db.execute(
        "SELECT sop_uid, (SELECT count(*) FROM frame f WHERE f.blob = i.blob) AS frames FROM instance i"
        " WHERE image_set_id = ? AND until IS NULL",
        (source["id"],),
    )
    frames = sum(row["frames"] for row in rows if selection is None or row["sop_uid"] in selection)
    if frames > core.settings.limits.frames_per_copy:
        raise errors.quota_exceeded(f"More than {core.settings.limits.frames_per_copy} frames in one copy")


def _destination(core: Core, db: sqlite3.Connection, request: Request, source: Row) -> str:
    """The id of the locked destination."""
    wanted = request["copyImageSetInformation"].get("destinationImageSet")
    promote = request.get("promoteToPrimary", False)
    if wanted is None and promote:
        wanted = _primary_to_join(db, source)
    if wanted is None:
        return _new_image_set(core, db, source, is_primary=promote)
    if wanted["imageSetId"] == source["id"]:
        raise errors.validation("Source and destination are the same image set")
    datastore_id, image_set_id = source["datastore_id"], str(wanted["imageSetId"])
    lock(core, db, datastore_id, image_set_id, wanted["latestVersionId"], "COPYING")
    add_version(core, db, image_set_id, "COPYING", forced=request.get("force", False))
    return image_set_id


def _primary_to_join(db: sqlite3.Connection, source: Row) -> dict[str, str] | None:
    """The series' primary with the same identity; raises ConflictException for one with another."""
    primaries = db.execute(
        "SELECT * FROM image_set WHERE datastore_id = ? AND study_uid = ? AND is_primary"
        " AND state <> 'DELETED' AND id <> ?",
        (source["datastore_id"], source["study_uid"], source["id"]),
    ).fetchall()
    for primary in primaries:
        same_series = primary["series_uid"] == source["series_uid"]
        differs = primary["study_identity"] != source["study_identity"]
        if differs or (same_series and primary["series_identity"] != source["series_identity"]):
            raise errors.conflict(f"ImageSet conflicts with primary ImageSet {primary['id']}")
    for primary in primaries:
        if primary["series_uid"] == source["series_uid"]:
            return {"imageSetId": primary["id"], "latestVersionId": str(primary["version"])}
    return None


def _new_image_set(core: Core, db: sqlite3.Connection, source: Row, *, is_primary: bool) -> str:
    image_set_id, now = uuid.uuid4().hex, core.clock.now()
    db.execute(
        "INSERT INTO image_set SELECT ?, datastore_id, study_uid, series_uid, study_identity,"
        " series_identity, ?, 1, 'LOCKED', ?, ?, ?, NULL, study_at, tags, levels_updated"
        " FROM image_set WHERE id = ?",
        (image_set_id, is_primary, now, now, now, source["id"]),
    )
    db.execute(
        "INSERT INTO image_set_version SELECT ?, 1, 'COPYING', ?, NULL, NULL, ?, levels"
        " FROM image_set_version WHERE image_set_id = ? AND version = ?",
        (image_set_id, now, is_primary, source["id"], source["version"]),
    )
    return image_set_id


def _properties(core: Core, datastore_id: str, image_set_id: str) -> Answer:
    image_set = require_image_set(core, datastore_id, image_set_id)
    version = require_version(core, image_set, None)
    return {
        "imageSetId": image_set_id,
        "latestVersionId": str(image_set["version"]),
        "imageSetState": image_set["state"],
        "imageSetWorkflowStatus": version["workflow_status"],
        "createdAt": image_set["created_at"],
        "updatedAt": version["updated_at"],
        "imageSetArn": core.image_set_arn(datastore_id, image_set_id),
    }


def _copy(core: Core, source: Row, destination: str, selection: Selection, *, compare: bool) -> None:
    try:
        with core.store.transaction() as db:
            if compare:
                _compare(db, source["id"], destination)
            _copy_instances(core, db, source["id"], destination, selection)
    except WriteFailed as failure:
        unlock(core, destination, "COPY_FAILED", str(failure), source["id"])
        with core.store.transaction() as db:
            db.execute("UPDATE image_set SET state = 'ACTIVE' WHERE id = ?", (source["id"],))
            set_status(core, db, source["id"], source["workflow_status"])
        return
    unlock(core, destination, "COPIED", None, source["id"])
    unlock(core, source["id"], "COPIED")


def _compare(db: sqlite3.Connection, source: str, destination: str) -> None:
    mine, theirs = latest_levels(db, source), latest_levels(db, destination)
    for level in ("Patient", "Study", "Series"):
        if mine[level] != theirs[level]:
            raise WriteFailed(f" {level} of SourceImageSet and DestinationImageSet don't match.")


def _copy_instances(
    core: Core, db: sqlite3.Connection, source: str, destination: str, selection: Selection
) -> None:
    rows = db.execute(
        "SELECT sop_uid FROM instance WHERE image_set_id = ? AND until IS NULL", (source,)
    ).fetchall()
    held = {row["sop_uid"] for row in rows}
    if selection is not None and selection - held:
        raise WriteFailed(f"SOP Instance {min(selection - held)} is not in the source image set")
    version = db.execute("SELECT version FROM image_set WHERE id = ?", (destination,)).fetchone()[0]
    for sop_uid in sorted(held if selection is None else selection):
        db.execute(
            "UPDATE instance SET until = ? WHERE image_set_id = ? AND sop_uid = ? AND until IS NULL",
            (version, destination, sop_uid),
        )
        db.execute(
            "INSERT INTO instance (image_set_id, sop_uid, since, document, blob, header)"
            " SELECT ?, sop_uid, ?, document, blob, header FROM instance"
            " WHERE image_set_id = ? AND sop_uid = ? AND until IS NULL",
            (destination, version, source, sop_uid),
        )
    levels = unpack(
        db.execute(
            "SELECT levels FROM image_set_version WHERE image_set_id = ? AND version = ?",
            (destination, version),
        ).fetchone()["levels"]
    )
    describe(db, destination, version, levels, core.clock.now())
