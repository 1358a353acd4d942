"""QIDO-RS: studies, series and instances of primary image sets (developer guide, "Searching DICOM data")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..datastores.datastores import find
from ..service.wire import HttpAnswer
from ..state.core import Core
from ..state.store import Row, unpack
from .call import Call, dicom_json
from .instances import Instance, number
from .json_model import of_attributes, of_data_set
from .matching import Query, parse

_KEPT = 100_000
_CHARACTER_SET = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
_STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientName", "PatientID",
    "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
)  # fmt: skip
_SERIES = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime", "RequestAttributesSequence",
)  # fmt: skip
_INSTANCE = (
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
)  # fmt: skip
_LEVELS = ("Patient", "Study", "Series")
_levels: dict[tuple[str, int], dict[str, Any]] = {}
"""Of image set versions, which never change. A search over many studies decodes each one once."""


@dataclass(frozen=True)
class Series:
    """A primary image set as a search sees it."""

    row: Row
    levels: dict[str, dict[str, Any]]

    @property
    def attributes(self) -> dict[str, Any]:
        """Of patient, study and series."""
        return self.levels["Patient"] | self.levels["Study"] | self.levels["Series"]


def studies(core: Core, call: Call) -> HttpAnswer:
    """SearchDICOMStudies: newest update first."""
    query = parse(call.query)
    groups: dict[str, list[Series]] = defaultdict(list)
    for series in _series(core, call.datastore_id):
        groups[series.row["study_uid"]].append(series)
    ordered = sorted(groups.values(), key=_updated_at, reverse=True)
    found = []
    for group in ordered:
        newest = max(group, key=lambda each: each.row["updated_at"])
        attributes = newest.levels["Patient"] | newest.levels["Study"] | _study_counts(group)
        if query.matches(attributes | {"Modality": attributes["ModalitiesInStudy"]}):
            found.append(attributes)
    return dicom_json([_study(call, query, each) for each in _page(found, query)])


def series(core: Core, call: Call, study: str | None) -> HttpAnswer:
    """SearchDICOMSeries and SearchDICOMAllSeries: by SeriesNumber."""
    query = parse(call.query)
    found = [each for each in _series(core, call.datastore_id, study) if query.matches(each.attributes)]
    found.sort(key=lambda each: number(each.attributes.get("SeriesNumber")))
    shown = _SERIES if study else (*_STUDY, *_SERIES)
    return dicom_json([_one_series(call, query, each, shown) for each in _page(found, query)])


def instances(core: Core, call: Call, study: str | None, series_uid: str | None) -> HttpAnswer:
    """SearchDICOMInstances, -StudyInstances and -AllInstances: by InstanceNumber, or newest update first."""
    query = parse(call.query)
    shown = _INSTANCE if series_uid else (*(_SERIES if study else (*_STUDY, *_SERIES)), *_INSTANCE)
    found: list[tuple[Series, Row, dict[str, Any]]] = []
    for parent in _series(core, call.datastore_id, study, series_uid):
        for row in core.store.all(
            "SELECT * FROM instance WHERE image_set_id = ? AND until IS NULL", parent.row["id"]
        ):
            attributes = parent.attributes | unpack(row["document"])["DICOM"]
            if query.matches(attributes):
                found.append((parent, row, attributes))
    if series_uid:
        found.sort(key=lambda each: number(each[2].get("InstanceNumber")))
    else:
        found.sort(key=lambda each: (-each[0].row["updated_at"], number(each[2].get("InstanceNumber"))))
    page: list[tuple[Series, Row, dict[str, Any]]] = _page(found, query)
    return dicom_json([_one_instance(call, query, parent, row, each, shown) for parent, row, each in page])


def _series(
    core: Core, datastore_id: str, study: str | None = None, series_uid: str | None = None
) -> Iterable[Series]:
    find(core, datastore_id)
    for row in core.store.all(
        "SELECT s.*,"
        " (SELECT count(*) FROM instance i WHERE i.image_set_id = s.id AND i.until IS NULL) AS instances"
        " FROM image_set s WHERE datastore_id = ? AND is_primary AND state <> 'DELETED'"
        " AND (? IS NULL OR study_uid = ?) AND (? IS NULL OR series_uid = ?)",
        datastore_id, study, study, series_uid, series_uid,
    ):  # fmt: skip
        yield Series(row, _levels_of(core, row))


def _levels_of(core: Core, row: Row) -> dict[str, Any]:
    key = (row["id"], row["version"])
    if key in _levels and row["state"] == "ACTIVE":
        return _levels[key]
    found = core.store.one(
        "SELECT levels FROM image_set_version WHERE image_set_id = ? AND version = ?", *key
    )
    levels: dict[str, Any] = unpack(found["levels"]) if found else {level: {} for level in _LEVELS}
    if row["state"] == "ACTIVE":  # a locked one is being changed
        if len(_levels) >= _KEPT:
            _levels.clear()
        _levels[key] = levels
    return levels


def _updated_at(group: list[Series]) -> float:
    return max(float(each.row["updated_at"]) for each in group)


def _page(found: list[Any], query: Query) -> list[Any]:
    return found[query.offset : query.offset + query.limit]


def _study_counts(group: list[Series]) -> dict[str, Any]:
    return {
        "ModalitiesInStudy": sorted({str(each.levels["Series"].get("Modality") or "OT") for each in group}),
        "NumberOfStudyRelatedSeries": len(group),
        "NumberOfStudyRelatedInstances": sum(each.row["instances"] for each in group),
    }


def _study(call: Call, query: Query, attributes: dict[str, Any]) -> dict[str, Any]:
    counts = {name: attributes[name] for name in _study_counts([])}
    url = f"{call.url}/studies/{attributes['StudyInstanceUID']}"
    return _result(url, _chosen(attributes, query, _STUDY) | counts)


def _one_series(call: Call, query: Query, found: Series, shown: tuple[str, ...]) -> dict[str, Any]:
    url = f"{call.url}/studies/{found.row['study_uid']}/series/{found.row['series_uid']}"
    counts = {"NumberOfSeriesRelatedInstances": found.row["instances"]}
    return _result(url, _chosen(found.attributes, query, shown) | counts)


def _one_instance(
    call: Call, query: Query, parent: Series, row: Row, attributes: dict[str, Any], shown: tuple[str, ...]
) -> dict[str, Any]:
    url = call.instance_url(parent.row["study_uid"], parent.row["series_uid"], row["sop_uid"])
    base = _result(url, _chosen(attributes, query, shown))
    if query.fields:
        ds = Instance(row, parent.levels, bool(parent.row["levels_updated"])).data_set()
        everything = of_data_set(ds, f"{url}/bulkdata")
        if "all" in query.fields:
            return dict(sorted((everything | base).items()))
        private = {each: everything[each] for each in query.fields if each in everything}
        return dict(sorted((base | private).items()))
    return base


def _result(url: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """With what every answer has: character set, availability, RetrieveURL (PS3.18 10.6.3)."""
    own = {"00080056": {"vr": "CS", "Value": ["ONLINE"]}, "00081190": {"vr": "UR", "Value": [url]}}
    return dict(sorted((_CHARACTER_SET | own | of_attributes(attributes)).items()))


def _chosen(attributes: dict[str, Any], query: Query, shown: tuple[str, ...]) -> dict[str, Any]:
    """The attributes of every answer, those asked for, and those of the keys; all others are left out."""
    if "all" in query.fields:
        return {name: value for name, value in attributes.items() if name != "PixelData"}
    chosen = {name: attributes.get(name) for name in shown if name in attributes}
    for path in (*query.fields, *(key.keyword for key in query.keys)):
        head, _, rest = path.partition(".")
        if head in attributes:
            chosen[head] = _narrowed(attributes[head], rest) if rest else attributes[head]
    return chosen


def _narrowed(items: Any, path: str) -> Any:
    """Of a sequence's items only one attribute."""
    head, _, rest = path.partition(".")
    if not isinstance(items, list):
        return items
    return [
        {head: _narrowed(item[head], rest) if rest else item[head]} if head in item else {}
        for item in items
        if isinstance(item, dict)
    ]
