"""CreateDatastore, GetDatastore, ListDatastores, DeleteDatastore."""

from __future__ import annotations

import json
import uuid

from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.paging import page
from ..state.store import Row
from ..state.tokens import Token, earlier_answer, remember
from . import tags

_DETAILS = ("kmsKeyArn", "lambdaAuthorizerArn", "losslessStorageFormat")
_INSERT = "INSERT INTO datastore VALUES (?, ?, ?, ?, ?, ?)"


def create_datastore(core: Core, request: Request) -> Answer:
    """A new data store, ACTIVE after `timing.datastore` seconds; raises 402 beyond the account's quota."""
    token = Token.of("CreateDatastore", request)
    datastore_id = uuid.uuid4().hex
    answer: Answer = {"datastoreId": datastore_id, "datastoreStatus": "CREATING"}
    tags.check_new(request.get("tags", {}), 0)
    with core.store.transaction() as db:
        if (earlier := earlier_answer(core, db, token)) is not None:
            return earlier
        living = db.execute("SELECT count(*) FROM datastore WHERE status <> 'DELETED'").fetchone()[0]
        if living >= core.settings.limits.datastores:
            raise errors.quota_exceeded(
                f"The quota of {core.settings.limits.datastores} data stores is used up"
            )
        now = core.clock.now()
        name = request.get("datastoreName", datastore_id)
        details = json.dumps({key: request[key] for key in _DETAILS if key in request})
        db.execute(_INSERT, (datastore_id, name, "CREATING", now, now, details))
        remember(core, db, token, answer)
    tags.write(core, core.datastore_arn(datastore_id), request.get("tags", {}))
    _announce(core, datastore_id, "Data Store Creating", "CREATING")
    core.background.after(
        core.settings.timing.datastore,
        "create-datastore",
        lambda: _become(core, datastore_id, "Data Store Created", "ACTIVE"),
    )
    return answer


def ensure_datastore(core: Core, name: str, datastore_id: str | None = None) -> str:
    """The id of the ACTIVE data store of that name, made when there is none: for a start from nothing."""
    with core.store.transaction() as db:
        row = db.execute(
            "SELECT id FROM datastore WHERE status = 'ACTIVE' AND (id = ? OR (? IS NULL AND name = ?))",
            (datastore_id, datastore_id, name),
        ).fetchone()
        if row is not None:
            return str(row["id"])
        made = datastore_id or uuid.uuid4().hex
        now = core.clock.now()
        db.execute(_INSERT, (made, name, "ACTIVE", now, now, "{}"))
        return made


def get_datastore(core: Core, request: Request) -> Answer:
    """The data store's properties; raises 404."""
    row = find(core, request["datastoreId"])
    return {"datastoreProperties": _summary(core, row) | json.loads(row["details"])}


def list_datastores(core: Core, request: Request) -> Answer:
    """All data stores, newest first, or those in one status."""
    status = request.get("datastoreStatus")

    def fetch(limit: int, offset: int) -> list[Row]:
        return core.store.all(
            "SELECT * FROM datastore WHERE ? IS NULL OR status = ? "
            "ORDER BY created_at DESC, rowid DESC LIMIT ? OFFSET ?",
            status,
            status,
            limit,
            offset,
        )

    return page(request, "datastoreSummaries", fetch, lambda row: _summary(core, row))


def delete_datastore(core: Core, request: Request) -> Answer:
    """Deletes an empty, ACTIVE data store; raises 409 while it holds image sets or runs imports."""
    datastore_id = require_active(core, request["datastoreId"])["id"]
    used = core.store.count(
        "SELECT (SELECT count(*) FROM image_set WHERE datastore_id = ? AND state <> 'DELETED')"
        " + (SELECT count(*) FROM job WHERE datastore_id = ? AND ended_at IS NULL)",
        datastore_id,
        datastore_id,
    )
    if used:
        raise errors.conflict(f"Data store {datastore_id} is not empty. Delete all of its image sets first.")
    _become(core, datastore_id, "Data Store Deleting", "DELETING")
    core.background.after(
        core.settings.timing.datastore,
        "delete-datastore",
        lambda: _become(core, datastore_id, "Data Store Deleted", "DELETED"),
    )
    return {"datastoreId": datastore_id, "datastoreStatus": "DELETING"}


def find(core: Core, datastore_id: str) -> Row:
    """The data store's row; raises 404."""
    row = core.store.one("SELECT * FROM datastore WHERE id = ?", datastore_id)
    if row is None:
        raise errors.not_found(f"Datastore {datastore_id} does not exist")
    return row


def require_active(core: Core, datastore_id: str) -> Row:
    """The data store's row; raises 404, or 409 when it is not ACTIVE."""
    row = find(core, datastore_id)
    if row["status"] != "ACTIVE":
        raise errors.conflict(f"Data store {datastore_id} is {row['status']}, not ACTIVE")
    return row


def resume(core: Core) -> None:
    """Finishes what an earlier process began."""
    for row in core.store.all("SELECT id, status FROM datastore WHERE status IN ('CREATING', 'DELETING')"):
        done = (
            ("Data Store Created", "ACTIVE")
            if row["status"] == "CREATING"
            else ("Data Store Deleted", "DELETED")
        )
        _become(core, row["id"], *done)


def _become(core: Core, datastore_id: str, detail_type: str, status: str) -> None:
    core.store.execute(
        "UPDATE datastore SET status = ?, updated_at = ? WHERE id = ?", status, core.clock.now(), datastore_id
    )
    _announce(core, datastore_id, detail_type, status)


def _announce(core: Core, datastore_id: str, detail_type: str, status: str) -> None:
    name = find(core, datastore_id)["name"]
    detail = {"datastoreId": datastore_id, "datastoreName": name, "datastoreStatus": status}
    core.events.put(detail_type, core.datastore_arn(datastore_id), core.clock.now(), detail)


def _summary(core: Core, row: Row) -> Answer:
    return {
        "datastoreId": row["id"],
        "datastoreName": row["name"],
        "datastoreStatus": row["status"],
        "datastoreArn": core.datastore_arn(row["id"]),
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
    }
