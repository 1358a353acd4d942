"""Header attributes in the DICOM JSON model (PS3.18 Annex F) as values of the index's columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dicom_ingest.contracts.attributes import Attribute

Dataset = Mapping[str, Mapping[str, Any]]
"""``{"00100020": {"vr": "LO", "Value": ["4711"]}}``"""

TIME = re.compile(r"(\d{2})(?::?(\d{2}))?(?::?(\d{2})(\.\d{1,6})?)?")
INTEGERS = range(-(2**31), 2**31)


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
                value = _parse(attribute, raw)
            except (ValueError, TypeError, OverflowError):
                unparsed[attribute.keyword] = [_without_nul(item) for item in raw]
        values[attribute.column] = value
    return Columns(values, unparsed)


def text_value(dataset: Dataset, tag: str) -> str | None:
    """The first value of an element as text, or None where it is absent or empty."""
    raw = _values(dataset.get(tag, {}))
    return _text(raw[0]) if raw else None


def _values(element: Mapping[str, Any]) -> list[Any]:
    value = element.get("Value")
    return value if isinstance(value, list) else []


def _without_nul(value: Any) -> Any:
    """PostgreSQL's text holds no NUL; in DICOM it is padding."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict | list):
        return json.loads(json.dumps(value).replace("\\u0000", ""))
    return value


def _text(value: Any) -> str | None:
    """Text as it came, without NUL; a person name's groups joined by ``=`` as in PS3.5 §6.2.1."""
    if value is None:
        return None
    if isinstance(value, dict):
        groups = [str(value.get(name, "")) for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).replace("\0", "").rstrip("=") or None
    return str(value).replace("\0", "").rstrip(" ") or None


def _parse(attribute: Attribute, raw: list[Any]) -> Any:
    """The column's value.

    Raises:
        ValueError: the text is not of the column's type.
    """
    if attribute.kind == "present":
        return True
    if attribute.kind == "sequence":
        return [_without_nul(item) for item in raw]
    texts = [text for text in map(_text, raw) if text is not None]
    if not texts:
        return None
    if attribute.kind == "texts":
        return texts
    if attribute.kind == "numbers":
        return [_number(text) for text in texts]
    if len(texts) > 1:
        if attribute.kind == "text":
            return "\\".join(texts)
        raise ValueError(f"{len(texts)} values where one is allowed")
    return _single(attribute.kind, texts[0].strip())


def _single(kind: str, text: str) -> Any:
    if kind == "date":
        return _date(text)
    if kind == "time":
        return _time(text)
    if kind == "integer":
        number = int(float(text)) if float(text).is_integer() else None
        if number is None or number not in INTEGERS:
            raise ValueError(f"{text!r} is not an integer of 32 bits")
        return number
    if kind == "number":
        return _number(text)
    return text


def _number(text: str) -> float:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(f"{text!r} is not a number")
    return number


def _date(text: str) -> str:
    """``20261122`` or, from before 1993, ``2026.11.22`` (PS3.5 §6.2)."""
    digits = text.replace(".", "") if text.count(".") == 2 else text
    if not re.fullmatch(r"\d{8}", digits):
        raise ValueError(f"{text!r} is not a date")
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()


def _time(text: str) -> str:
    """``101530.25``, shorter, or with colons (PS3.5 §6.2)."""
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(f"{text!r} is not a time")
    return f"{hour:02}:{minute:02}:{second:02}{match[4] or ''}"
