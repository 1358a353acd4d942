"""A structured report as text: the tree of its content, each item with its name and value."""

from __future__ import annotations

from markupsafe import Markup
from pydicom import Dataset

from console.markup.html import tag

DEEPEST = 20


def report(dataset: Dataset) -> Markup:
    """Title and content (PS3.3 C.17.3)."""
    verified = f"{dataset.get('CompletionFlag') or '?'}, {dataset.get('VerificationFlag') or '?'}"
    return tag(
        "div",
        tag(
            "p", tag("b", _meaning(dataset, "ConceptNameCodeSequence") or "Report"), f" ({verified.lower()})"
        ),
        _content(dataset, 0),
        class_="report",
    )


def _content(item: Dataset, depth: int) -> Markup | None:
    parts = item.get("ContentSequence") or []
    if not parts or depth > DEEPEST:
        return None
    return tag("ul", [_item(part, depth) for part in parts])


def _item(item: Dataset, depth: int) -> Markup:
    name, value = _meaning(item, "ConceptNameCodeSequence"), _value(item)
    words = tag("b", name) if name else None
    return tag("li", words, ": " if name and value else None, value, _content(item, depth + 1))


def _meaning(item: Dataset, keyword: str) -> str:
    codes = item.get(keyword) or []
    return str(codes[0].get("CodeMeaning") or codes[0].get("CodeValue") or "") if codes else ""


def _value(item: Dataset) -> str:
    kind = item.get("ValueType")
    match kind:
        case "CONTAINER":
            return ""
        case "TEXT":
            return str(item.get("TextValue") or "")
        case "CODE":
            return _meaning(item, "ConceptCodeSequence")
        case "NUM":
            measured = (item.get("MeasuredValueSequence") or [Dataset()])[0]
            unit = _meaning(measured, "MeasurementUnitsCodeSequence")
            return f"{measured.get('NumericValue', 'no value')} {unit}".rstrip()
        case "DATE" | "TIME" | "DATETIME":
            return str(item.get({"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime"}[kind]) or "")
        case "PNAME":
            return str(item.get("PersonName") or "")
        case "UIDREF":
            return str(item.get("UID") or "")
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            referenced = (item.get("ReferencedSOPSequence") or [Dataset()])[0]
            return f"{kind.lower()} {referenced.get('ReferencedSOPInstanceUID', '')}"
        case "SCOORD" | "SCOORD3D" | "TCOORD":
            return str(item.get("GraphicType") or item.get("TemporalRangeType") or "").lower()
    return "" if kind is None else str(kind).lower()
