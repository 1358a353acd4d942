"""Which instance a URL names, and what it consists of now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from ..datastores.datastores import find
from ..dicom.metadata import render
from ..dicom.originals import dataset
from ..service import errors
from ..state.core import Core
from ..state.store import Row, unpack
from .json_model import element_of


@dataclass(frozen=True)
class Place:
    """A URL's UIDs and its imageSetId; without one only primary image sets are looked at."""

    datastore_id: str
    study: str
    series: str
    sop: str | None = None
    image_set_id: str | None = None


@dataclass(frozen=True)
class Instance:
    """An instance of the latest version of its image set."""

    row: Row
    levels: dict[str, Any]
    is_updated: bool
    """The image set's attributes were changed after the import."""

    @property
    def document(self) -> dict[str, Any]:
        """Its part of the image set's metadata."""
        found: dict[str, Any] = unpack(self.row["document"])
        return found

    @property
    def stored_syntax(self) -> str:
        """Of its frames; without frames, of the data set as it was received."""
        document = self.document
        return str(document.get("StoredTransferSyntaxUID") or document["DICOM"]["TransferSyntaxUID"])

    def data_set(self) -> Dataset:
        """All elements but the pixel data: as received, with what was updated since."""
        ds = dataset(self.row["header"])
        rendered = render(ds, lambda element: element.value or b"")
        document = self.document
        _apply(ds, rendered.instance, document["DICOM"], document["DICOMVRs"])
        if self.is_updated:
            for level in ("Patient", "Study", "Series"):
                _apply(ds, rendered.levels[level], self.levels[level], {})
        return ds


def _apply(ds: Dataset, before: dict[str, Any], now: dict[str, Any], vrs: dict[str, str]) -> None:
    """Make the elements that differ those of `now`."""
    for key in before.keys() | now.keys():
        if before.get(key) == now.get(key) and (key in before) == (key in now):
            continue
        tag = tag_for_keyword(key) or int(key, 16)
        if tag >> 16 == 2:
            continue
        if key in now:
            ds[tag] = element_of(tag, vrs.get(key), now[key])
        elif tag in ds:
            del ds[tag]


def instances(core: Core, place: Place) -> list[Instance]:
    """The instances at a place, by InstanceNumber; raises 404 where there are none."""
    find(core, place.datastore_id)
    rows = core.store.all(
        "SELECT i.*, v.levels, s.levels_updated"
        " FROM image_set s JOIN image_set_version v ON v.image_set_id = s.id AND v.version = s.version"
        " JOIN instance i ON i.image_set_id = s.id AND i.until IS NULL"
        " WHERE s.datastore_id = ? AND s.study_uid = ? AND s.series_uid = ? AND s.state <> 'DELETED'"
        " AND (? IS NULL OR i.sop_uid = ?) AND (s.id = ? OR ? IS NULL AND s.is_primary)",
        place.datastore_id, place.study, place.series, place.sop, place.sop,
        place.image_set_id, place.image_set_id,
    )  # fmt: skip
    if not rows:
        raise errors.not_found(f"No such {'instance' if place.sop else 'series'} in the data store")
    core.store.execute(
        "UPDATE image_set SET last_accessed_at = ? WHERE id = ?", core.clock.now(), rows[0]["image_set_id"]
    )
    found = [Instance(row, unpack(row["levels"]), bool(row["levels_updated"])) for row in rows]
    return sorted(found, key=lambda each: number(each.document["DICOM"].get("InstanceNumber")))


def instance(core: Core, place: Place) -> Instance:
    """The one instance at a place; raises 404."""
    return instances(core, place)[0]


def number(value: object) -> tuple[bool, float]:
    """A sort key: numbers by size, everything else after them."""
    try:
        return False, float(str(value))
    except ValueError:
        return True, 0.0
