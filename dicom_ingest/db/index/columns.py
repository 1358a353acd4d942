"""Header attributes in the DICOM JSON model (PS3.18 Annex F) as values of the index's columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from math import isfinite
from typing import Any

from dicom_ingest.contracts.attributes import Attribute

Dataset = Mapping[str, Mapping[str, Any]]
"""``{"00100020": {"vr": "LO", "Value": ["4711"]}}``"""

TIME = re.compile(r"([0-9]{2})(?::?([0-9]{2}))?(?::?([0-9]{2})(\.[0-9]{1,6})?)?")
DATE = re.compile(r"[0-9]{8}")
INTEGER = re.compile(r"[+-]?[0-9]+(\.0*)?")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGERS = range(-(2**31), 2**31)
BLANKS_COUNT = ("LT", "ST", "UT")
"""Leading blanks of these are significant (PS3.5 §6.2); of all others they are padding."""
LONGEST_KEY = 256
"""Characters of a key as it came. A longer one is told by its hash: an index entry has no room for it."""


@dataclass(frozen=True)
class Columns:
    """Values by column; `unparsed`: the original text of what did not parse, by keyword."""

    values: dict[str, Any]
    unparsed: dict[str, list[Any]]


def columns(dataset: Dataset, attributes: Iterable[Attribute]) -> Columns:
    """The columns of one level; nothing is cut, nothing invented."""
    values: dict[str, Any] = {}
    unparsed: dict[str, list[Any]] = {}
    for attribute in attributes:
        element = dataset.get(attribute.tag)
        value: Any = None
        if element is not None:
            raw = _values(element)
            try:
                value = _parse(attribute, raw, element.get("vr") in BLANKS_COUNT)
            except (ValueError, TypeError, OverflowError):
                unparsed[attribute.keyword] = [storable(item) for item in raw]
        values[attribute.column] = value
    return Columns(values, unparsed)


def text_value(dataset: Dataset, tag: str) -> str | None:
    """The whole value of an element as text, or None where it is absent or empty."""
    return _joined(_values(dataset.get(tag, {})))


def key_value(dataset: Dataset, tag: str) -> str | None:
    """What tells one value from another: all of it; its hash where it is too long or not decoded whole."""
    element = dataset.get(tag, {})
    text = (text_value(dataset, tag) or "").strip(" ")
    if "\ufffd" in text and isinstance(element.get("InlineBinary"), str):
        return f"sha256:{sha256(element['InlineBinary'].encode()).hexdigest()}"
    return key(text) if text else None


def key(text: str) -> str:
    """A text as a key of the index."""
    return text if len(text) <= LONGEST_KEY else f"sha256:{sha256(text.encode()).hexdigest()}"


def is_empty(element: Mapping[str, Any]) -> bool:
    """Whether it says nothing: no value, or empty ones only."""
    values = _values(element)
    return not any(values) if element.get("vr") == "SQ" else _joined(values) is None


def _values(element: Mapping[str, Any]) -> list[Any]:
    value = element.get("Value")
    return value if isinstance(value, list) else []


def storable(value: Any) -> Any:
    """As PostgreSQL's jsonb can hold it: without NUL (in DICOM it is padding), surrogates and infinities."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", errors="replace").decode("utf-8")
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value


def _text(value: Any) -> str | None:
    """Text as it came, without padding; a person name's groups joined by ``=`` as in PS3.5 §6.2.1."""
    if value is None:
        return None
    if isinstance(value, dict):
        groups = [str(value.get(name, "")) for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return storable("=".join(groups)).rstrip("=") or None
    return storable(str(value)).rstrip(" ") or None


def _joined(raw: list[Any]) -> str | None:
    """All values with ``\\`` between them, as they were encoded; an empty one keeps its place."""
    texts = [_text(item) for item in raw]
    return "\\".join(text or "" for text in texts) if any(texts) else None


def _parse(attribute: Attribute, raw: list[Any], blanks_count: bool) -> Any:
    """The column's value.

    Raises:
        ValueError: the text is not of the column's type.
    """
    if attribute.kind == "present":
        return True
    if attribute.kind == "sequence":
        return [storable(item) for item in raw] or None
    texts = [_text(item) for item in raw]
    if not any(texts):
        return None
    if attribute.kind == "texts":
        return texts
    if attribute.kind == "numbers":
        return [None if text is None else _number(text.strip()) for text in texts]
    if attribute.kind == "text":
        text = _joined(raw) or ""
        return text if blanks_count else text.strip(" ")
    (found,) = [text for text in texts if text is not None]
    return _single(attribute.kind, found.strip())


def _single(kind: str, text: str) -> Any:
    if kind == "date":
        return _date(text)
    if kind == "time":
        return _time(text)
    if kind == "integer":
        if not INTEGER.fullmatch(text) or (number := int(text.partition(".")[0])) not in INTEGERS:
            raise ValueError(f"{text!r} is not an integer of 32 bits")
        return number
    return _number(text)


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text) or not isfinite(number := float(text)):
        raise ValueError(f"{text!r} is not a number")
    return number


def _date(text: str) -> str:
    """``20261122`` or, from before 1993, ``2026.11.22`` (PS3.5 §6.2)."""
    digits = text.replace(".", "") if text.count(".") == 2 else text
    if not DATE.fullmatch(digits):
        raise ValueError(f"{text!r} is not a date")
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()


def _time(text: str) -> str:
    """``101530.25``, shorter, or with colons (PS3.5 §6.2). No column holds second 60: it stays text."""
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is not a time")
    return f"{hour:02}:{minute:02}:{second:02}{match[4] or ''}"
