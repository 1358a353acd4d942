"""Element values as HealthImaging's metadata renders them, from the raw bytes of the file.

Raw, because IS and DS keep the blanks the file has, and because nothing here may depend on pydicom's
(process-wide) validation settings. Rules: README, "Metadata".
"""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from pydicom.values import convert_PN, convert_single_string, convert_text

Encodings = list[str]

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_ONE_STRING = frozenset({"ST", "LT", "UT"})
_TEXT = frozenset({"SH", "LO", "UC"})
_PADDED = frozenset({"IS", "DS"})
_BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "OB or OW"})


def render_value(vr: str, raw: bytes, *, little_endian: bool, encodings: Encodings) -> list[Any]:
    """The values of an element that is no sequence; empty for an empty element."""
    if not raw:
        return []
    if vr in _BINARY:
        return [base64.b64encode(raw).decode()]
    if vr in _NUMBERS:
        return _numbers(_NUMBERS[vr], raw, little_endian)
    if vr == "AT":
        return _tags(raw, little_endian)
    values = _strings(vr, raw, encodings)
    return values if any(value is not None for value in values) else []


def _strings(vr: str, raw: bytes, encodings: Encodings) -> list[str | None]:
    if vr in _PADDED:
        values = raw.rstrip(b"\0").decode("iso8859").split("\\")
        return [value if value.strip() else None for value in values]
    if vr in _ONE_STRING:
        return [convert_single_string(raw, encodings) or None]
    if vr == "PN":
        return [str(value) or None for value in _several(convert_PN(raw, encodings))]
    if vr in _TEXT:
        return [value or None for value in _several(convert_text(raw, encodings))]
    text = raw.decode("iso8859").rstrip("\0 ")
    values = [text] if vr == "UR" else text.split("\\")
    return [value.strip("\0 ") or None for value in values]


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else _listed(value)


def _listed(value: Any) -> list[Any]:
    return [value] if hasattr(value, "components") else list(value)


def _numbers(code: str, raw: bytes, little_endian: bool) -> list[Any]:
    size = struct.calcsize(code)
    count = len(raw) // size
    numbers = struct.unpack(f"{'<' if little_endian else '>'}{count}{code}", raw[: count * size])
    return [_finite(number) for number in numbers]


def _finite(number: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return number if math.isfinite(number) else str(number)


def _tags(raw: bytes, little_endian: bool) -> list[str]:
    halves = _numbers("H", raw, little_endian)
    return [f"{group:04X}{element:04X}" for group, element in zip(halves[::2], halves[1::2], strict=False)]
