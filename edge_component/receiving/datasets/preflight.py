"""What HealthImaging will refuse or warn about, told from the header as it passes.

The rules are in `dicom_ingest.contracts.preflight`. Where nothing is wrong it costs a comparison an element.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from pydicom.datadict import dictionary_VR
from pydicom.values import convert_PN, convert_single_string, convert_text

from dicom_ingest.contracts.preflight import (
    BYTES,
    CHARACTERS,
    DESCRIBES_PIXELS,
    MAX_CHARACTERS,
    MAX_FILE_BYTES,
    MAX_NUMBER,
    NATIVE,
    SUPPORTED,
)
from edge_component.receiving.datasets.values import UNREADABLE, encodings

MOST = 20
"""Of an instance: more are not noted."""
PIXEL_DATA = 0x7FE00010
ALL_PIXEL_DATA = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, SIGNED = 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103
PIXEL_DESCRIPTION = (
    *(SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS, ALLOCATED, STORED, SIGNED),
)  # fmt: skip
_NEEDED = (SAMPLES, PHOTOMETRIC, ROWS, COLUMNS, ALLOCATED, STORED, SIGNED)
_NEEDED_OF_BITS = (ROWS, COLUMNS)
_ONE_VALUE = frozenset(("LT", "ST"))
_DECODED = frozenset(("LO", "LT", "PN", "SH", "ST"))
_DIGITS = 12
"""Of the largest number that IS allows."""


class Foretold(NamedTuple):
    """A rule's code, the element's tag, and the length that is wrong: never a value."""

    code: str
    tag: str | None = None
    length: int | None = None


def noted(foretold: tuple[Foretold, ...], file_bytes: int) -> str:
    """All of it for the journal; the size of the file is known last."""
    if file_bytes > MAX_FILE_BYTES:
        foretold = (Foretold("file_too_large", length=file_bytes), *foretold)
    return json.dumps(foretold) if foretold else "[]"


def value_representation(tag: int, vr: str) -> str:
    """The VR of the element, or the dictionary's where it has none or UN."""
    if vr not in ("", "UN"):
        return vr
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if "SS" in known:
        return "US"
    return "OW" if " or " in known else known


def doubtful(tag: int, vr: str, length: int) -> bool:
    """Whether a value of so many bytes needs a look."""
    vr = value_representation(tag, vr)
    if tag in MAX_NUMBER:
        return True
    if (size := BYTES.get(vr)) is not None:
        return length % size != 0
    return vr in CHARACTERS and length > CHARACTERS[vr]


def misfit(tag: int, vr: str, value: bytes, charset: bytes | None) -> Foretold | None:
    """What is wrong with a value that needed a look."""
    vr, name = value_representation(tag, vr), f"{tag:08X}"
    if (size := BYTES.get(vr)) is not None:
        if len(value) % size == 0:
            return None
        return Foretold("not_a_number" if tag in DESCRIBES_PIXELS else "value_length", name, len(value))
    if tag in MAX_NUMBER and _number(value) > MAX_NUMBER[tag]:
        return Foretold("number_over_maximum", name)
    limit = CHARACTERS.get(vr)
    if limit is None or _longest(vr, [value]) <= limit:
        return None
    texts = _decoded(vr, value, charset)
    length = _longest(vr, texts)
    if (whole := len("\\".join(texts).strip())) > MAX_CHARACTERS.get(tag, whole):
        return Foretold("over_maximum", name, whole)
    return Foretold("value_length", name, length) if length > limit else None


def _longest(vr: str, values: Iterable[bytes] | Iterable[str]) -> int:
    """Characters, or bytes, of the longest value, or component group of a name, without padding."""
    longest = 0
    for value in values:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        parts = [text] if vr in _ONE_VALUE else text.split("\\")
        if vr == "PN":
            parts = [group for part in parts for group in part.split("=")]
        longest = max(longest, *(len(part.strip("\0 \t\r\n\f\v")) for part in parts))
    return longest


def _decoded(vr: str, value: bytes, charset: bytes | None) -> list[str]:
    """Its values as text; one string where it has one value only."""
    names = encodings(charset) if vr in _DECODED else None
    if names is None:
        return [value.decode("latin-1")]
    try:
        if vr in _ONE_VALUE:
            return [convert_single_string(value, names)]
        found = convert_PN(value, names) if vr == "PN" else convert_text(value, names)
    except UNREADABLE:
        return [value.decode("latin-1")]
    return [str(found)] if isinstance(found, str) or hasattr(found, "components") else [str(v) for v in found]


def _number(value: bytes) -> int:
    text = value.decode("latin-1").strip("\0 ").lstrip("+-")
    return int(text[: _DIGITS + 1]) if text.isdecimal() else 0


def pixels(
    found: Mapping[int, bytes | None], sizes: Mapping[int, int], transfer_syntax_uid: str, *, big: bool
) -> Foretold | None:
    """Whether HealthImaging will have frames of it. `sizes`: of elements of a defined length."""
    if transfer_syntax_uid not in SUPPORTED:
        return Foretold("transfer_syntax") if ALL_PIXEL_DATA & found.keys() else None
    if PIXEL_DATA not in found:
        return None
    size = sizes.get(PIXEL_DATA)  # none where the pixel data is encapsulated
    if transfer_syntax_uid not in NATIVE:
        return None if size is None else Foretold("no_frames")
    if size is None:
        return None
    needed = _needed(tuple([found.get(tag) for tag in PIXEL_DESCRIPTION]), big=big)
    return None if needed is not None and needed <= size else Foretold("no_frames")


@lru_cache(maxsize=256)
def _needed(description: tuple[bytes | None, ...], *, big: bool) -> int | None:
    """Bytes that the pixel data has at least; None: it is not described."""
    values = {
        tag: element[8:].strip(b"\0 ") and element[8:]
        for tag, element in zip(PIXEL_DESCRIPTION, description, strict=True)
        if element is not None
    }
    order = "big" if big else "little"

    def number(tag: int) -> int:
        return int.from_bytes(values.get(tag, b"")[:2], order)  # type: ignore[arg-type]

    bits = number(ALLOCATED)
    needed = _NEEDED_OF_BITS if bits == 1 else _NEEDED
    if any(tag not in values for tag in needed) or not (number(ROWS) and number(COLUMNS)):
        return None
    samples = 1 if bits == 1 else number(SAMPLES)
    if samples > 1 and PLANAR not in values:
        return None
    frames = values.get(FRAMES, b"").decode("latin-1").strip("\0 ")
    count = int(frames[:_DIGITS]) if frames.isdecimal() else 1
    whole = number(ROWS) * number(COLUMNS) * samples * bits * count // 8
    return whole * 2 // 3 if b"422" in values.get(PHOTOMETRIC, b"") else whole
