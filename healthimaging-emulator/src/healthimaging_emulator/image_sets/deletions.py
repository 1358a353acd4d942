"""DeleteImageSet."""

from __future__ import annotations

from ..datastores.datastores import find
from ..state.blobs import drop_unused
from ..state.core import Answer, Core, Request
from ..state.image_set_events import announce
from .writes import EVENTS, lock, set_status


def delete_image_set(core: Core, request: Request) -> Answer:
    """Locks the image set and deletes it in the background; raises 402, 404 or 409."""
    datastore_id, image_set_id = request["datastoreId"], request["imageSetId"]
    find(core, datastore_id)
    with core.store.transaction() as db:
        lock(core, db, datastore_id, image_set_id, None, "DELETING")
        set_status(core, db, image_set_id, "DELETING")
    announce(core, image_set_id, EVENTS["DELETING"])
    core.background.after(
        core.settings.timing.write, f"delete-{image_set_id}", lambda: _delete(core, image_set_id)
    )
    return {
        "datastoreId": datastore_id,
        "imageSetId": image_set_id,
        "imageSetState": "LOCKED",
        "imageSetWorkflowStatus": "DELETING",
    }


def resume(core: Core) -> None:
    """Finishes the deletions of an earlier process."""
    for row in core.store.all(
        "SELECT s.id FROM image_set s JOIN image_set_version v ON v.image_set_id = s.id"
        " AND v.version = s.version WHERE s.state = 'LOCKED' AND v.workflow_status = 'DELETING'"
    ):
        _delete(core, row["id"])


def _delete(core: Core, image_set_id: str) -> None:
    rows = core.store.all(
        "SELECT DISTINCT blob FROM instance WHERE image_set_id = ? AND blob NOT NULL", image_set_id
    )
    now = core.clock.now()
    with core.store.transaction() as db:
        db.execute("DELETE FROM instance WHERE image_set_id = ?", (image_set_id,))
        db.execute(
            "UPDATE image_set SET state = 'DELETED', deleted_at = ?, updated_at = ? WHERE id = ?",
            (now, now, image_set_id),
        )
        set_status(core, db, image_set_id, "DELETED")
    drop_unused(core, [row["blob"] for row in rows])
    announce(core, image_set_id, EVENTS["DELETED"])
