"""updatableAttributes and removableAttributes: parsed, checked against the documented constraints, applied.

Developer guide, "DICOM metadata constraints" and "Updating image set metadata".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.valuerep import validate_value

from ..dicom.levels import level_of
from ..service import errors
from ..service.validation import in_words
from .writes import WriteFailed

_GENERATED = {
    "SchemaVersion", "DatastoreID", "ImageSetID", "PixelData", "Checksum", "Width", "Height", "MinPixelValue",
    "MaxPixelValue", "FrameSizeInBytes",
}  # fmt: skip
_UIDS = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
_FORCED = _UIDS | {"StudyID"}
_PRIVATE = re.compile(r"[0-9A-F]{8}")
_CHECKED_VRS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI"}


class Level(BaseModel):
    """The attributes of one level, or one instance."""

    model_config = ConfigDict(extra="forbid")
    DICOM: dict[str, Any] = {}
    DICOMVRs: dict[str, str] = {}


class SeriesLevel(Level):
    """A series and its instances by SOP Instance UID."""

    Instances: dict[str, Level] = {}


class StudyLevel(Level):
    """A study and its series by Series Instance UID."""

    Series: dict[str, SeriesLevel] = {}


class Document(BaseModel):
    """Part of an image set's metadata, as updates and copies name it."""

    model_config = ConfigDict(extra="forbid")
    SchemaVersion: str | float | None = None
    Patient: Level = Level()
    Study: StudyLevel = StudyLevel()


@dataclass(frozen=True)
class Change:
    """One attribute at one place; `sop_uid` None stands for the level itself."""

    level: str
    keyword: str
    value: Any
    vr: str | None = None
    sop_uid: str | None = None
    removes: bool = False


@dataclass(frozen=True)
class Patch:
    """All that one update changes; `removed` are SOP Instance UIDs, None removes the whole series."""

    changes: tuple[Change, ...]
    removed: tuple[str | None, ...]


def parse(document: bytes, series_uid: str, *, removes: bool) -> Patch:
    """Reads one of the two documents; raises ValidationException, or WriteFailed for an unknown series."""
    content = read(document)
    found = [*_attributes("Patient", content.Patient, removes), *_attributes("Study", content.Study, removes)]
    removed: list[str | None] = []
    for uid, series in content.Study.Series.items():
        if uid != series_uid:
            raise WriteFailed(f"Series {uid} is not in the image set")
        if removes and not series.model_fields_set:
            removed.append(None)
        found += _attributes("Series", series, removes)
        for sop_uid, instance in series.Instances.items():
            if removes and not instance.model_fields_set:
                removed.append(sop_uid)
            found += _attributes("Instance", instance, removes, sop_uid)
    return Patch(tuple(found), tuple(removed))


def read(document: bytes | str) -> Document:
    """Raises ValidationException for what has not the form of image set metadata."""
    try:
        return Document.model_validate_json(document)
    except ValidationError as error:
        raise errors.validation(f"Not of the form of image set metadata: {in_words(error)}") from error


def _attributes(level: str, content: Level, removes: bool, sop_uid: str | None = None) -> Iterator[Change]:
    for keyword, value in content.DICOM.items():
        yield Change(level, keyword, value, content.DICOMVRs.get(keyword), sop_uid, removes)


def check(change: Change, *, primary: bool, force: bool, protect_primary: bool) -> None:
    """Raises WriteFailed when the documented constraints forbid a change."""
    keyword = change.keyword
    if keyword in _GENERATED:
        raise WriteFailed(f"{keyword} cannot be updated")
    if primary and keyword in _UIDS:
        raise WriteFailed(f"{keyword} of a primary image set cannot be updated")
    if primary and protect_primary and change.level in ("Patient", "Series"):
        raise WriteFailed(f"{change.level} level attributes of a primary image set cannot be updated")
    if _PRIVATE.fullmatch(keyword):
        if change.level != "Instance" or not force:
            raise WriteFailed(f"private attribute {keyword} needs force and can only be of an instance")
        return
    if tag_for_keyword(keyword) is not None and level_of(keyword) != change.level:
        raise WriteFailed(f"{keyword} is not a {change.level} level attribute")
    if not force and (reason := _needs_force(change)):
        raise WriteFailed(f"{keyword} cannot be updated without force: {reason}")


def _needs_force(change: Change) -> str | None:
    tag = tag_for_keyword(change.keyword)
    if tag is None:
        return "it is not an attribute of the DICOM standard"
    if change.keyword in _FORCED:
        return "it identifies"
    if dictionary_VR(tag) == "SQ":
        return "it is a sequence"
    if dictionary_VM(tag) != "1":
        return "it is multi-valued"
    return (
        None if change.removes or _fits(dictionary_VR(tag), change.value) else "its value does not fit its VR"
    )


def _fits(vr: str, value: Any) -> bool:
    if value is None:
        return True
    if vr in ("US", "SS", "UL", "SL", "UV", "SV"):
        return isinstance(value, int)
    if vr in ("FL", "FD"):
        return isinstance(value, int | float)
    if not isinstance(value, str):
        return False
    if vr not in _CHECKED_VRS:
        return True
    try:
        validate_value(vr, value, RAISE)
    except ValueError:
        return False
    return True


def apply(
    content: dict[str, Any], changes: list[Change], vrs: dict[str, str] | None = None
) -> dict[str, Any]:
    """The attributes of one place after the changes; `vrs` is changed along."""
    changed = dict(content)
    for change in changes:
        if change.removes:
            changed.pop(change.keyword, None)
        else:
            changed[change.keyword] = change.value
        if vrs is not None and change.removes:
            vrs.pop(change.keyword, None)
        if vrs is not None and change.vr:
            vrs[change.keyword] = change.vr
    return changed
