"""A data set as HealthImaging's metadata: by keyword, at patient, study, series and instance level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.datadict import (
    dictionary_has_tag,
    dictionary_keyword,
    dictionary_VM,
    dictionary_VR,
    repeater_has_tag,
)
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from .lengths import describes_pixels, fits
from .levels import level_of
from .values import Encodings, render_value

PIXEL_DATA = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010})
INLINE_BYTES = 1_000_000
"""Longer private binary values are stored apart (developer guide, "DICOM element constraints")."""

_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_ASIDE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

ReadValue = Callable[[RawDataElement], bytes]
"""Gives a raw element's bytes, also when reading them was put off."""


@dataclass
class Rendered:
    """One instance's attributes by level; `vrs` has the VR of every tag that has no keyword."""

    levels: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"Patient": {}, "Study": {}, "Series": {}, "Instance": {}}
    )
    vrs: dict[str, str] = field(default_factory=dict)
    misfits: list[str] = field(default_factory=list)
    """Attributes with a value that is too long for its VR, or no whole number of numbers."""

    @property
    def instance(self) -> dict[str, Any]:
        """The attributes of the instance itself."""
        return self.levels["Instance"]

    def get(self, keyword: str) -> Any:
        """An attribute of any level; None when it is empty or missing."""
        return self.levels[level_of(keyword)].get(keyword)


def render(dataset: Dataset, read_value: ReadValue) -> Rendered:
    """Render file meta information and data set, without pixel data.

    Raises:
        ValueError: what describes the pixel data is no number.
    """
    rendered = Rendered()
    renderer = _Renderer(read_value, rendered)
    rendered.instance.update(renderer.attributes(dataset.file_meta, ["iso8859"]))
    for keyword, value in renderer.attributes(dataset, ["iso8859"]).items():
        rendered.levels[level_of(keyword)][keyword] = value
    return rendered


def elements(dataset: Dataset) -> dict[int, Any]:
    """The elements by tag as they were read: `get_item` would fetch, and convert, what was put off."""
    return {int(tag): element for tag, element in dataset.items()}


class _Renderer:
    def __init__(self, read_value: ReadValue, rendered: Rendered) -> None:
        self._read = read_value
        self._vrs = rendered.vrs
        self._misfits = rendered.misfits
        self._signed = False

    def attributes(self, dataset: Dataset, inherited: Encodings) -> dict[str, Any]:
        """The elements of a data set or sequence item, by key."""
        held = elements(dataset)
        encodings = self._encodings(held, inherited)
        if (representation := held.get(_PIXEL_REPRESENTATION)) is not None:
            self._signed = any(representation.value or b"")
        found: dict[str, Any] = {}
        for tag in (BaseTag(number) for number in sorted(held)):
            if tag in PIXEL_DATA or _is_group_length(tag):
                continue
            element = held[tag]
            vr = _vr(tag, element.VR, signed=self._signed)
            key = self._key(tag, vr)
            found[key] = self._value(tag, vr, element, encodings)
        return found

    def _encodings(self, held: dict[int, Any], inherited: Encodings) -> Encodings:
        element = held.get(_SPECIFIC_CHARACTER_SET)
        if element is None:
            return inherited
        raw = self._read(element) if isinstance(element, RawDataElement) else None
        values = raw.decode("iso8859").rstrip("\0 ").split("\\") if raw is not None else element.value
        return list(convert_encodings(values or ""))

    def _key(self, tag: BaseTag, vr: str) -> str:
        if dictionary_has_tag(tag) and dictionary_keyword(tag):
            return str(dictionary_keyword(tag))
        key = f"{int(tag):08X}"
        self._vrs[key] = vr
        return key

    def _value(self, tag: BaseTag, vr: str, element: Any, encodings: Encodings) -> Any:
        if vr == "SQ":
            return [self.attributes(item, encodings) for item in self._items(element, encodings)] or None
        if not isinstance(element, RawDataElement):
            values = _decoded(element.value)
        elif tag.is_private and vr in _ASIDE and element.length > INLINE_BYTES:
            return {"BulkDataURI": f"bulkdata/{int(tag):08X}"}
        else:
            little_endian = element.is_little_endian or element.VR == "UN"
            raw = self._read(element)
            values = render_value(vr, raw, little_endian=little_endian, encodings=encodings)
            if not fits(vr, raw, values):
                self._misfit(tag)
        return _scalar_or_list(tag, values)

    def _misfit(self, tag: BaseTag) -> None:
        if describes_pixels(tag):
            raise ValueError(f"{tag} is no number")
        self._misfits.append(self._key(tag, "UN"))

    def _items(self, element: Any, encodings: Encodings) -> list[Dataset]:
        if not isinstance(element, RawDataElement):
            return list(element.value)
        unknown = element.VR == "UN"  # then its value is implicit VR little endian (PS3.5 6.2.2)
        implicit, little_endian = element.is_implicit_VR or unknown, element.is_little_endian or unknown
        raw = self._read(element)
        return list(convert_SQ(raw, implicit, little_endian, encodings)) if raw else []


def _decoded(value: Any) -> list[Any]:
    """What pydicom decodes while reading: group 0002's length and the character set."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue) else [value]


def _scalar_or_list(tag: BaseTag, values: list[Any]) -> Any:
    """A list wherever the dictionary allows several values, even for one; null for none."""
    if not values:
        return None
    single = dictionary_VM(tag) == "1" if dictionary_has_tag(tag) else len(values) == 1
    return values[0] if single and len(values) == 1 else values


def _is_group_length(tag: BaseTag) -> bool:
    """Group lengths describe the file, not the patient; group 0002's is in the service's answers."""
    return tag.element == 0 and tag.group != 2


def _vr(tag: BaseTag, vr: str | None, *, signed: bool) -> str:
    """The VR of the file, or the dictionary's where the file has none or UN."""
    if vr not in (None, "UN"):
        return str(vr)
    if tag.is_private:
        return "LO" if 0x10 <= tag.element <= 0xFF else "UN"
    if not (dictionary_has_tag(tag) or repeater_has_tag(tag)):
        return "UN"
    known = dictionary_VR(tag)
    if "SS" in known:
        return "SS" if signed else "US"
    return "OW" if " or " in known else str(known)
