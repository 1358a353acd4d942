"""The DICOM JSON model (PS3.18 F): from data sets, and from the attributes that metadata keeps."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.tag import Tag

INLINE_BYTES = 1_000_000
"""Longer binary values are bulk data (developer guide, "Retrieve bulk data")."""
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NUMBERS: dict[str, Callable[[Any], Any]] = {"DS": float, "IS": lambda text: int(float(text))}


def of_data_set(ds: Dataset, bulk_data_url: str) -> dict[str, Any]:
    """All elements; long binary values as URIs below `bulk_data_url`."""
    return ds.to_json_dict(
        bulk_data_threshold=INLINE_BYTES,
        bulk_data_element_handler=lambda element: f"{bulk_data_url}/{bulk_data_name(element.value)}",
        suppress_invalid_tags=True,
    )


def bulk_data_name(value: bytes) -> str:
    """The last part of a BulkDataURI."""
    return hashlib.sha256(value).hexdigest()


def find_bulk_data(ds: Dataset, name: str) -> bytes | None:
    """The value that has this name."""
    for element in ds.iterall():
        value = element.value if element.VR in _BINARY else None
        if isinstance(value, bytes) and bulk_data_name(value) == name:
            return value
    return None


def of_attributes(attributes: dict[str, Any], vrs: dict[str, str] | None = None) -> dict[str, Any]:
    """Metadata's attributes, by keyword or eight hexadecimal digits."""
    return dict(sorted(_rendered(attributes, vrs or {})))


def _rendered(attributes: dict[str, Any], vrs: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in attributes.items():
        tag = tag_for_keyword(key) or int(key, 16)
        if tag >> 16 > 2:
            yield f"{tag:08X}", _element(vr_of(tag, vrs.get(key)), value, vrs)


def _element(vr: str, value: Any, vrs: dict[str, str]) -> dict[str, Any]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not values:
        return {"vr": vr}
    if vr == "SQ":
        return {"vr": vr, "Value": [dict(_rendered(item, vrs)) for item in values]}
    if vr in _BINARY:
        uri = values[0].get("BulkDataURI") if isinstance(values[0], dict) else None
        return {"vr": vr, "BulkDataURI": uri} if uri else {"vr": vr, "InlineBinary": values[0]}
    return {"vr": vr, "Value": [_value(vr, each) for each in values]}


def _value(vr: str, value: Any) -> Any:
    if value is None:
        return None
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), str(value).split("="), strict=False)
        return {name: text for name, text in groups if text}
    try:
        return _NUMBERS[vr](value) if vr in _NUMBERS else value
    except ValueError:  # no number: PS3.18 F.2.3 allows the text
        return str(value).strip()


def vr_of(tag: int, known: str | None) -> str:
    """The VR of a tag: as kept, else the dictionary's."""
    if known is not None or not dictionary_has_tag(tag):
        return known or "UN"
    vr = dictionary_VR(Tag(tag))
    return vr if " or " not in vr else "US" if vr.startswith("US") else "OW"


def element_of(tag: int, known: str | None, value: Any) -> DataElement:
    """An element of a data set from its value in the metadata."""
    vr = vr_of(tag, known)
    if vr == "SQ":
        items = []
        for attributes in value or []:
            item = Dataset()
            for key, content in attributes.items():
                inner = tag_for_keyword(key) or int(key, 16)
                item[inner] = element_of(inner, None, content)
            items.append(item)
        return DataElement(tag, vr, items)
    if vr in _BINARY:
        return DataElement(tag, vr, base64.b64decode(value) if isinstance(value, str) else b"")
    return DataElement(tag, vr, value)
