"""The events of an image set's life."""

from __future__ import annotations

from .core import Core


def announce(core: Core, image_set_id: str, detail_type: str, source_image_set_id: str | None = None) -> None:
    """The event for an image set's latest version."""
    row = core.store.one(
        "SELECT s.*, v.workflow_status FROM image_set s JOIN image_set_version v"
        " ON v.image_set_id = s.id AND v.version = s.version WHERE s.id = ?",
        image_set_id,
    )
    if row is None:
        raise LookupError(f"image set {image_set_id} is unknown")
    detail = {
        "isPrimary": bool(row["is_primary"]),
        "imageSetVersion": str(row["version"]),
        "datastoreId": row["datastore_id"],
        "imageSetId": image_set_id,
        "imageSetState": row["state"],
        "imageSetWorkflowStatus": row["workflow_status"],
    }
    if source_image_set_id is not None:
        detail["sourceImageSetArn"] = core.image_set_arn(row["datastore_id"], source_image_set_id)
    core.events.put(
        detail_type, core.image_set_arn(row["datastore_id"], image_set_id), core.clock.now(), detail
    )
