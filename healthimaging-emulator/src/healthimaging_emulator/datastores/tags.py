"""TagResource, UntagResource, ListTagsForResource: of data stores and image sets."""

from __future__ import annotations

from collections.abc import Collection

from ..service import errors
from ..state.core import Answer, Core, Request

TAGS_PER_RESOURCE = 50


def tag_resource(core: Core, request: Request) -> Answer:
    """Adds or replaces tags; raises 404 for an unknown resource, 400 beyond 50 tags."""
    arn = _existing(core, request["resourceArn"])
    held = core.store.all("SELECT key FROM tag WHERE arn = ?", arn)
    new = request["tags"].keys() - {row["key"] for row in held}
    check_new(new, len(held))
    write(core, arn, request["tags"])
    return {}


def untag_resource(core: Core, request: Request) -> Answer:
    """Removes tags; a key that is not there is no error."""
    arn = _existing(core, request["resourceArn"])
    for key in request["tagKeys"]:
        core.store.execute("DELETE FROM tag WHERE arn = ? AND key = ?", arn, key)
    return {}


def list_tags_for_resource(core: Core, request: Request) -> Answer:
    """All tags of a resource."""
    arn = _existing(core, request["resourceArn"])
    rows = core.store.all("SELECT key, value FROM tag WHERE arn = ? ORDER BY key", arn)
    return {"tags": {row["key"]: row["value"] for row in rows}}


def check_new(keys: Collection[str], held: int) -> None:
    """Raises ValidationException when a resource would have more than 50 tags."""
    if held + len(keys) > TAGS_PER_RESOURCE:
        raise errors.validation(f"A resource can have at most {TAGS_PER_RESOURCE} tags")


def write(core: Core, arn: str, tags: dict[str, str]) -> None:
    """Stores tags, replacing equal keys."""
    for key, value in tags.items():
        core.store.execute("INSERT OR REPLACE INTO tag VALUES (?, ?, ?)", arn, key, value)


def _existing(core: Core, arn: str) -> str:
    owner, _, resource = arn.partition(":datastore/")
    datastore_id, _, image_set_id = resource.partition("/imageset/")
    known = core.store.one("SELECT 1 FROM datastore WHERE id = ? AND status <> 'DELETED'", datastore_id)
    if known and image_set_id:
        known = core.store.one(
            "SELECT 1 FROM image_set WHERE id = ? AND datastore_id = ? AND state <> 'DELETED'",
            image_set_id,
            datastore_id,
        )
    if not known or core.datastore_arn(datastore_id).partition(":datastore/")[0] != owner:
        raise errors.not_found(f"Resource {arn} does not exist")
    return arn
