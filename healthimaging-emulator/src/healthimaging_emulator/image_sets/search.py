"""SearchImageSets: up to two filters, both must hold."""

from __future__ import annotations

import json
from typing import Any

from ..datastores.datastores import find
from ..dicom.summaries import moment
from ..service import errors
from ..state.core import Answer, Core, Request
from ..state.paging import page
from ..state.store import Row

_TAG_FILTERS = {
    "DICOMPatientId",
    "DICOMAccessionNumber",
    "DICOMStudyId",
    "DICOMStudyInstanceUID",
    "DICOMSeriesInstanceUID",
}
_DATES = {"createdAt": "created_at", "updatedAt": "updated_at", "DICOMStudyDateAndTime": "study_at"}
_DEFAULT_SORT = {"sortField": "updatedAt", "sortOrder": "DESC"}

Condition = tuple[str, list[Any]]


def search_image_sets(core: Core, request: Request) -> Answer:
    """Image sets that are not deleted, sorted; without criteria all of the data store."""
    find(core, request["datastoreId"])
    criteria = request.get("searchCriteria", {})
    sort = criteria.get("sort", _DEFAULT_SORT)
    conditions = [_condition(each) for each in criteria.get("filters", [])]
    where = "".join(f" AND {sql}" for sql, _ in conditions)
    values = [value for _, several in conditions for value in several]
    visible = core.clock.now() - core.settings.behaviour.search_delay_seconds
    order = f"{_DATES[sort['sortField']]} {sort['sortOrder']}, id"

    def fetch(limit: int, offset: int) -> list[Row]:
        return core.store.all(  # names in this text come from this module, values are bound
            "SELECT * FROM image_set"  # noqa: S608
            " WHERE datastore_id = ? AND state <> 'DELETED' AND updated_at <= ?"
            f"{where} ORDER BY {order} LIMIT ? OFFSET ?",
            request["datastoreId"], visible, *values, limit, offset,
        )  # fmt: skip

    return page(request, "imageSetsMetadataSummaries", fetch, lambda row: _summary(core, row)) | {
        "sort": sort
    }


def _condition(each: dict[str, Any]) -> Condition:
    attribute, values = _attribute(each)
    if each["operator"] == "EQUAL":
        if len(values) != 1:
            raise errors.validation("Operator EQUAL takes exactly one value")
        return _equal(attribute, values[0])
    if len(values) != 2 or attribute not in _DATES:
        raise errors.validation(f"Operator BETWEEN takes exactly two values of one of {', '.join(_DATES)}")
    low, high = (_comparable(attribute, value) for value in values)
    return f"{_DATES[attribute]} BETWEEN ? AND ?", [low, high]


def _attribute(each: dict[str, Any]) -> tuple[str, list[Any]]:
    names = {name for value in each["values"] for name in value}
    if len(names) != 1:
        raise errors.validation("The values of a filter must be of the same attribute")
    name = names.pop()
    return name, [value[name] for value in each["values"]]


def _equal(attribute: str, value: Any) -> Condition:
    if attribute == "isPrimary":
        return "is_primary = ?", [int(value)]
    if attribute in _TAG_FILTERS:
        return f"json_extract(tags, '$.{attribute}') = ?", [value]
    return f"{_DATES[attribute]} = ?", [_comparable(attribute, value)]


def _comparable(attribute: str, value: Any) -> Any:
    if attribute != "DICOMStudyDateAndTime":
        return value
    return moment(value["DICOMStudyDate"], value.get("DICOMStudyTime", ""))


def _summary(core: Core, row: Row) -> Answer:
    return {
        "imageSetId": row["id"],
        "version": row["version"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "lastAccessedAt": row["last_accessed_at"],
        "storageTier": "FREQUENT_ACCESS",
        "isPrimary": bool(row["is_primary"]),
        "DICOMTags": json.loads(row["tags"]) | _counts(core, row),
    }


def _counts(core: Core, row: Row) -> dict[str, int]:
    """Series and instances of the study's primary image sets, now."""
    counts = core.store.one(
        "SELECT count(DISTINCT series_uid) AS series, count(DISTINCT sop_uid) AS instances FROM image_set s"
        " JOIN instance i ON i.image_set_id = s.id AND i.until IS NULL"
        " WHERE s.datastore_id = ? AND s.study_uid = ? AND (s.is_primary OR s.id = ?)"
        " AND s.state <> 'DELETED'",
        row["datastore_id"], row["study_uid"], row["id"],
    )  # fmt: skip
    if counts is None:
        return {}
    return {
        "DICOMNumberOfStudyRelatedSeries": counts["series"],
        "DICOMNumberOfStudyRelatedInstances": counts["instances"],
    }
