"""GetImageSet, ListImageSetVersions, GetImageSetMetadata, GetImageFrame."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from ..datastores.datastores import find
from ..dicom.transfer_syntaxes import content_type
from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.paging import page
from ..state.store import Row, unpack, unpack_text

_PAGE = 100


def require_image_set(core: Core, datastore_id: str, image_set_id: str) -> Row:
    """The image set's row; raises 404."""
    find(core, datastore_id)
    row = core.store.one(
        "SELECT * FROM image_set WHERE id = ? AND datastore_id = ?", image_set_id, datastore_id
    )
    if row is None:
        raise errors.not_found(f"ImageSet {image_set_id} does not exist")
    return row


def require_version(core: Core, image_set: Row, version: str | None) -> Row:
    """One version's row, by default the latest; raises 404."""
    wanted = int(version) if version is not None else image_set["version"]
    row = core.store.one(
        "SELECT * FROM image_set_version WHERE image_set_id = ? AND version = ?",
        image_set["id"], min(wanted, 2**62),
    )  # fmt: skip
    if row is None:
        raise errors.not_found(f"Version {version} of ImageSet {image_set['id']} does not exist")
    return row


def get_image_set(core: Core, request: Request) -> Answer:
    """An image set's properties, of one version."""
    image_set = require_image_set(core, request["datastoreId"], request["imageSetId"])
    version = require_version(core, image_set, request.get("versionId"))
    return {
        "datastoreId": image_set["datastore_id"],
        **properties(image_set, version),
        "imageSetWorkflowStatus": version["workflow_status"],
        "imageSetArn": core.image_set_arn(image_set["datastore_id"], image_set["id"]),
        "lastAccessedAt": image_set["last_accessed_at"],
        "storageTier": "FREQUENT_ACCESS",
    }


def list_image_set_versions(core: Core, request: Request) -> Answer:
    """All versions, newest first."""
    image_set = require_image_set(core, request["datastoreId"], request["imageSetId"])

    def fetch(limit: int, offset: int) -> list[Row]:
        return core.store.all(
            "SELECT * FROM image_set_version WHERE image_set_id = ? ORDER BY version DESC LIMIT ? OFFSET ?",
            image_set["id"], limit, offset,
        )  # fmt: skip

    def render(version: Row) -> Answer:
        return properties(image_set, version) | {"ImageSetWorkflowStatus": version["workflow_status"]}

    return page(request, "imageSetPropertiesList", fetch, render)


def properties(image_set: Row, version: Row) -> Answer:
    """What GetImageSet and ListImageSetVersions have in common; only the latest version can be LOCKED."""
    is_latest = version["version"] == image_set["version"]
    found = {
        "imageSetId": image_set["id"],
        "versionId": str(version["version"]),
        "imageSetState": image_set["state"] if is_latest or image_set["state"] == "DELETED" else "ACTIVE",
        "createdAt": image_set["created_at"],
        "updatedAt": version["updated_at"],
        "deletedAt": image_set["deleted_at"],
        "message": version["message"],
        "overrides": None if version["forced"] is None else {"forced": bool(version["forced"])},
        "isPrimary": bool(version["is_primary"]),
    }
    return {name: value for name, value in found.items() if value is not None}


def get_image_set_metadata(core: Core, request: Request) -> Answer:
    """The metadata document of one version, gzipped and streamed."""
    image_set = _readable(core, request)
    version = require_version(core, image_set, request.get("versionId"))
    return {
        "imageSetMetadataBlob": _gzipped(_document(core, image_set, version)),
        "contentType": "application/json",
        "contentEncoding": "gzip",
    }


def _readable(core: Core, request: Request) -> Row:
    image_set = require_image_set(core, request["datastoreId"], request["imageSetId"])
    if image_set["state"] == "DELETED":
        raise errors.not_found(f"ImageSet {image_set['id']} is deleted")
    core.store.execute(
        "UPDATE image_set SET last_accessed_at = ? WHERE id = ?", core.clock.now(), image_set["id"]
    )
    return image_set


def _gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    deflate = zlib.compressobj(6, wbits=31)
    for chunk in chunks:
        if compressed := deflate.compress(chunk):
            yield compressed
    yield deflate.flush()


def _document(core: Core, image_set: Row, version: Row) -> Iterator[bytes]:
    """The JSON text, instance by instance: a series may be large."""
    levels: dict[str, Any] = unpack(version["levels"])
    head = {
        "SchemaVersion": "1.1",
        "DatastoreID": image_set["datastore_id"],
        "ImageSetID": image_set["id"],
        "Patient": {"DICOM": levels["Patient"]},
    }
    series_uid = levels["Series"]["SeriesInstanceUID"]
    yield f"{json.dumps(head)[:-1]}, ".encode()
    yield f'"Study": {{"DICOM": {json.dumps(levels["Study"])}, '.encode()
    yield f'"Series": {{{json.dumps(series_uid)}: {{"DICOM": {json.dumps(levels["Series"])}, '.encode()
    yield b'"Instances": {'
    separator = b""
    for row in instances(core, image_set["id"], version["version"]):
        yield separator + json.dumps(row["sop_uid"]).encode() + b": " + unpack_text(row["document"])
        separator = b", "
    yield b"}}}}}"


def instances(core: Core, image_set_id: str, version: int) -> Iterator[Row]:
    """The instances of a version, by SOP Instance UID."""
    last = ""
    while rows := core.store.all(
        "SELECT * FROM instance WHERE image_set_id = ? AND sop_uid > ? AND since <= ?"
        " AND (until IS NULL OR until > ?) ORDER BY sop_uid LIMIT ?",
        image_set_id, last, version, version, _PAGE,
    ):  # fmt: skip
        yield from rows
        last = rows[-1]["sop_uid"]


def get_image_frame(core: Core, request: Request) -> Answer:
    """One frame in its stored encoding; raises 404 when no version of the image set has it."""
    image_set = _readable(core, request)
    frame_id = request["imageFrameInformation"]["imageFrameId"]
    frame = core.store.one(
        "SELECT frame.* FROM frame JOIN instance USING (blob) WHERE frame.id = ? AND image_set_id = ?",
        frame_id, image_set["id"],
    )  # fmt: skip
    if frame is None:
        raise errors.not_found(f"ImageFrame {frame_id} does not exist")
    with (core.store.frames / frame["blob"]).open("rb") as file:
        file.seek(frame["offset"])
        data = file.read(frame["length"])
    return {"imageFrameBlob": data, "contentType": content_type(frame["transfer_syntax"])}
