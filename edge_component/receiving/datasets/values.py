"""Encoded values in the DICOM JSON model (PS3.18 F.2).

Most values are plain: numbers, dates, codes and text of printable ASCII, told from their bytes alone. pydicom
converts the others: it knows the character sets.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from typing import Any

from pydicom import config
from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.errors import BytesLengthException
from pydicom.tag import Tag
from pydicom.values import convert_SQ

config.settings.reading_validation_mode = config.IGNORE  # what a VR forbids is the index's business
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises on bytes that are not what they claim to be."""
BYTES_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
DEEPEST = 16
"""Sequences within an indexed one; what is deeper is only said to be there."""
_CODES = re.compile(rb"[0-9A-Z_.+:][0-9A-Z_.+: -]*")
_INTEGER = re.compile(rb"-?[0-9]{1,9} ?")
_DECIMAL = re.compile(rb"-?[0-9]{1,9}(\.[0-9]{1,9})? ?")
_TWO_BYTES = re.compile(rb"..", re.DOTALL)
_ASCII = re.compile(rb"[!#-<>-\[\]_a-z][ !#-<>-\[\]-z]*")
"""Printable, and the same in every character set: nothing above z, no quote, equals sign or backslash."""


def _text(value: bytes) -> str:
    return f'"{value.decode("ascii").rstrip(" ")}"'


def _name(value: bytes) -> str:
    return f'{{"Alphabetic":{_text(value)}}}'


_PLAIN: dict[bytes, tuple[re.Pattern[bytes], Callable[[bytes], str]]] = {
    **dict.fromkeys((b"AS", b"CS", b"DA", b"DT", b"TM"), (_CODES, _text)),
    **dict.fromkeys((b"LO", b"SH", b"LT", b"ST", b"UT"), (_ASCII, _text)),
    b"PN": (_ASCII, _name),
    b"IS": (_INTEGER, lambda value: str(int(value))),
    b"DS": (_DECIMAL, lambda value: json.dumps(float(value))),
}
_NUMBER = (_TWO_BYTES, lambda value: str(int.from_bytes(value, "little")))


def plain_json(vr: bytes, value: bytes, *, big: bool = False) -> str | None:
    """The element in the DICOM JSON model (PS3.18 F.2); None: it is not plain."""
    found = _NUMBER if vr == b"US" and not big else _PLAIN.get(vr)
    if found is None or not found[0].fullmatch(value):
        return None
    return f'{{"Value":[{found[1](value)}],"vr":"{vr.decode("ascii")}"}}'


def converted(
    tag: int, vr: str, value: bytes, charset: list[str] | None, *, implicit: bool, big: bool
) -> dict[str, Any]:
    """One element in the DICOM JSON model; a value that its VR does not allow is kept as text."""
    try:
        raw = RawDataElement(Tag(tag), vr, len(value), value, 0, implicit, not big)
        if vr == "SQ":
            element = DataElement(raw.tag, vr, convert_SQ(value, implicit, not big, charset))
        else:
            element = convert_raw_data_element(raw, encoding=charset)
        if element.VR in BYTES_VRS:
            return {"vr": element.VR}
        encoded: dict[str, Any] = element.to_json_dict(None, 0)
        json.dumps(encoded, allow_nan=False)
    except UNREADABLE:
        encoded = {"vr": vr} if vr in BYTES_VRS or vr == "SQ" else _as_text(vr, value)
    return {"vr": vr} if _depth(encoded) > DEEPEST else _whole(encoded, value)


def _whole(encoded: dict[str, Any], value: bytes) -> dict[str, Any]:
    """With its bytes, where its text has lost some: two patient ids may look alike as text."""
    if encoded["vr"] == "SQ" or not any("\ufffd" in str(text) for text in encoded.get("Value", ())):
        return encoded
    return encoded | {"InlineBinary": base64.b64encode(value.rstrip(b"\0 ")).decode("ascii")}


def encodings(value: bytes | None) -> list[str] | None:
    """Python's names of the character sets in (0008,0005); None: the default repertoire."""
    if value is None:
        return None
    terms = [term.strip() for term in value.decode("latin-1").strip("\0 ").split("\\")]
    try:
        return convert_encodings(terms)
    except UNREADABLE:  # unknown: text is read as far as ASCII goes
        return None


def _depth(encoded: dict[str, Any]) -> int:
    """How many sequences are within each other."""
    deepest, level = 0, [encoded]
    while level and deepest <= DEEPEST:
        nested = [item for element in level if element.get("vr") == "SQ" for item in element.get("Value", ())]
        level = [element for item in nested for element in item.values()]
        deepest += 1
    return deepest


def _as_text(vr: str, value: bytes) -> dict[str, Any]:
    text = value.decode("utf-8", errors="replace").strip("\0 ")
    return {"vr": vr, "Value": text.split("\\")} if text else {"vr": vr}
