"""A structured report as text: the tree of its content, each item with its name and value."""

from __future__ import annotations

from markupsafe import Markup
from pydicom import Dataset

from console.markup.html import tag
from console.pictures.files import items, text

DEEPEST = 20


def report(dataset: Dataset) -> Markup:
    """Title and content (PS3.3 C.17.3)."""
    verified = f"{text(dataset, 'CompletionFlag') or '?'}, {text(dataset, 'VerificationFlag') or '?'}"
    return tag(
        "div",
        tag(
            "p", tag("b", _meaning(dataset, "ConceptNameCodeSequence") or "Report"), f" ({verified.lower()})"
        ),
        _content(dataset, 0),
        class_="report",
    )


def _content(item: Dataset, depth: int) -> Markup | None:
    parts = items(item, "ContentSequence")
    if not parts or depth > DEEPEST:
        return None
    return tag("ul", [_item(part, depth) for part in parts])


def _item(item: Dataset, depth: int) -> Markup:
    name, value = _meaning(item, "ConceptNameCodeSequence"), _value(item)
    words = tag("b", name) if name else None
    return tag("li", words, ": " if name and value else None, value, _content(item, depth + 1))


def _meaning(item: Dataset, keyword: str) -> str:
    codes = items(item, keyword)
    return text(codes[0], "CodeMeaning") or text(codes[0], "CodeValue") if codes else ""


_PLAIN = {
    "TEXT": "TextValue",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "PNAME": "PersonName",
    "UIDREF": "UID",
}
"""Where a content item of this value type has its value (PS3.3 C.18)."""


def _value(item: Dataset) -> str:
    kind = text(item, "ValueType")
    match kind:
        case "CONTAINER":
            return ""
        case "CODE":
            return _meaning(item, "ConceptCodeSequence")
        case "NUM":
            measured = next(iter(items(item, "MeasuredValueSequence")), Dataset())
            unit = _meaning(measured, "MeasurementUnitsCodeSequence")
            return f"{text(measured, 'NumericValue') or 'no value'} {unit}".rstrip()
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            referenced = next(iter(items(item, "ReferencedSOPSequence")), Dataset())
            return f"{kind.lower()} {text(referenced, 'ReferencedSOPInstanceUID')}"
        case "SCOORD" | "SCOORD3D" | "TCOORD":
            return (text(item, "GraphicType") or text(item, "TemporalRangeType")).lower()
    return text(item, _PLAIN[kind]) if kind in _PLAIN else kind.lower()
