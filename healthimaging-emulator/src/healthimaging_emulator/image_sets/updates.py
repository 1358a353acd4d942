"""UpdateImageSetMetadata: a new version with other attributes, fewer instances, or an older content."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..datastores.datastores import find
from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.image_set_events import announce
from ..state.store import Row, pack, unpack
from . import patches
from .image_sets import properties, require_image_set, require_version
from .patches import Change, Patch
from .writes import EVENTS, WriteFailed, add_version, latest_levels, lock, unlock, write_levels


def update_image_set_metadata(core: Core, request: Request) -> Answer:
    """Locks the image set and updates it in the background; raises 400, 402, 404 or 409."""
    datastore_id, image_set_id = request["datastoreId"], request["imageSetId"]
    find(core, datastore_id)
    updates = request["updateImageSetMetadataUpdates"]
    _check_size(core, updates)
    force = request.get("force", False)
    with core.store.transaction() as db:
        lock(core, db, datastore_id, image_set_id, request["latestVersionId"], "UPDATING")
        series_uid = latest_levels(db, image_set_id)["Series"]["SeriesInstanceUID"]
        _check_documents(updates, series_uid)
        add_version(core, db, image_set_id, "UPDATING", forced=force)
    announce(core, image_set_id, EVENTS["UPDATING"])
    answer = _answer(core, datastore_id, image_set_id)
    others = request.get("includeStudyImageSets", False)
    core.background.after(
        core.settings.timing.write,
        f"update-{image_set_id}",
        lambda: _update(core, datastore_id, image_set_id, updates, force=force, others=others),
    )
    return answer


def _check_size(core: Core, updates: dict[str, Any]) -> None:
    size = sum(len(document) for document in updates.get("DICOMUpdates", {}).values())
    if size > core.settings.limits.update_bytes:
        raise errors.quota_exceeded(f"DICOMUpdates is larger than {core.settings.limits.update_bytes} bytes")


def _check_documents(updates: dict[str, Any], series_uid: str) -> None:
    """What cannot be read is refused at once; what is forbidden fails later, with a message."""
    try:
        _patches(updates, series_uid)
    except WriteFailed:
        return


def _patches(updates: dict[str, Any], series_uid: str) -> list[Patch]:
    documents = updates.get("DICOMUpdates", {})
    names = (("removableAttributes", True), ("updatableAttributes", False))
    return [
        patches.parse(documents[name], series_uid, removes=removes)
        for name, removes in names
        if name in documents
    ]


def _answer(core: Core, datastore_id: str, image_set_id: str) -> Answer:
    image_set = require_image_set(core, datastore_id, image_set_id)
    version = require_version(core, image_set, None)
    found = properties(image_set, version)
    return {
        "datastoreId": datastore_id,
        "imageSetId": image_set_id,
        "latestVersionId": found["versionId"],
        "imageSetState": found["imageSetState"],
        "imageSetWorkflowStatus": version["workflow_status"],
        "createdAt": found["createdAt"],
        "updatedAt": found["updatedAt"],
    }


def _update(
    core: Core, datastore_id: str, image_set_id: str, updates: dict[str, Any], *, force: bool, others: bool
) -> None:
    try:
        with core.store.transaction() as db:
            if "revertToVersionId" in updates:
                _revert(core, db, image_set_id, int(updates["revertToVersionId"]))
            else:
                _patch(core, db, image_set_id, updates, force=force)
    except WriteFailed as failure:
        unlock(core, image_set_id, "UPDATE_FAILED", str(failure))
        return
    if others:
        _update_study(core, datastore_id, image_set_id)
    unlock(core, image_set_id, "UPDATED")


def _patch(
    core: Core, db: sqlite3.Connection, image_set_id: str, updates: dict[str, Any], *, force: bool
) -> None:
    row = db.execute("SELECT * FROM image_set WHERE id = ?", (image_set_id,)).fetchone()
    levels = latest_levels(db, image_set_id)
    protect = core.settings.behaviour.update_primary == "refuse_patient_and_series"
    for patch in _patches(updates, levels["Series"]["SeriesInstanceUID"]):
        for change in patch.changes:
            patches.check(change, primary=bool(row["is_primary"]), force=force, protect_primary=protect)
        for level in ("Patient", "Study", "Series"):
            levels[level] = patches.apply(levels[level], [c for c in patch.changes if c.level == level])
        for sop_uid in {c.sop_uid for c in patch.changes if c.sop_uid is not None}:
            _patch_instance(db, row, sop_uid, [c for c in patch.changes if c.sop_uid == sop_uid])
        for removed in patch.removed:
            _end_instances(db, row, removed)
    write_levels(core, db, image_set_id, levels)


def _current(db: sqlite3.Connection, image_set_id: str, sop_uid: str) -> Row:
    row: Row | None = db.execute(
        "SELECT * FROM instance WHERE image_set_id = ? AND sop_uid = ? AND until IS NULL",
        (image_set_id, sop_uid),
    ).fetchone()
    if row is None:
        raise WriteFailed(f"SOP Instance {sop_uid} is not in the image set")
    return row


def _patch_instance(db: sqlite3.Connection, image_set: Row, sop_uid: str, changes: list[Change]) -> None:
    before = _current(db, image_set["id"], sop_uid)
    document = unpack(before["document"])
    document["DICOM"] = patches.apply(document["DICOM"], changes, document["DICOMVRs"])
    _end_instances(db, image_set, sop_uid)
    db.execute(
        "INSERT INTO instance (image_set_id, sop_uid, since, document, blob, header)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            image_set["id"], document["DICOM"].get("SOPInstanceUID", sop_uid), image_set["version"],
            pack(document), before["blob"], before["header"],
        ),
    )  # fmt: skip


def _end_instances(db: sqlite3.Connection, image_set: Row, sop_uid: str | None) -> None:
    """Ends one instance, or all, with the version before; one that began in this version goes."""
    if sop_uid is not None:
        _current(db, image_set["id"], sop_uid)
    chosen = (image_set["id"], sop_uid, sop_uid)
    db.execute(
        "UPDATE instance SET until = ? WHERE image_set_id = ? AND (? IS NULL OR sop_uid = ?)"
        " AND until IS NULL",
        (image_set["version"], *chosen),
    )
    db.execute(
        "DELETE FROM instance WHERE image_set_id = ? AND (? IS NULL OR sop_uid = ?) AND since = until", chosen
    )


def _revert(core: Core, db: sqlite3.Connection, image_set_id: str, to: int) -> None:
    row = db.execute("SELECT * FROM image_set WHERE id = ?", (image_set_id,)).fetchone()
    version = db.execute(
        "SELECT levels FROM image_set_version WHERE image_set_id = ? AND version = ? AND version < ?",
        (image_set_id, min(to, 2**62), row["version"]),
    ).fetchone()
    if version is None:
        raise WriteFailed(f"version {to} does not exist")
    _end_instances(db, row, None)
    db.execute(
        "INSERT INTO instance (image_set_id, sop_uid, since, document, blob, header)"
        " SELECT image_set_id, sop_uid, ?, document, blob, header FROM instance"
        " WHERE image_set_id = ? AND since <= ? AND (until IS NULL OR until > ?)",
        (row["version"], image_set_id, to, to),
    )
    write_levels(core, db, image_set_id, unpack(version["levels"]))


def _update_study(core: Core, datastore_id: str, image_set_id: str) -> None:
    """Gives the study's other image sets the same patient and study attributes, each as a new version."""
    with core.store.transaction() as db:
        levels = latest_levels(db, image_set_id)
        others = db.execute(
            "SELECT id FROM image_set WHERE datastore_id = ? AND study_uid = ? AND id <> ?"
            " AND state = 'ACTIVE'",
            (datastore_id, levels["Study"]["StudyInstanceUID"], image_set_id),
        ).fetchall()
        for other in others:
            add_version(core, db, other["id"], "UPDATING_FOR_STUDY_CONSISTENCY", forced=False)
            own = latest_levels(db, other["id"])
            shared = {"Patient": levels["Patient"], "Study": levels["Study"]}
            write_levels(core, db, other["id"], own | shared)
    for other in others:
        unlock(core, other["id"], "UPDATED")
