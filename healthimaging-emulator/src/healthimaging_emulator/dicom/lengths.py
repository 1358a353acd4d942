"""Which values have a length that their VR allows (PS3.5 section 6.2, table 6.2-1)."""

from __future__ import annotations

from typing import Any

CHARACTERS = {
    "AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10_240, "PN": 64,
    "SH": 16, "ST": 1_024, "TM": 14, "UI": 64,
}  # fmt: skip
"""The most characters of one value, without padding; PN: of one component group."""
BYTES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4}
"""Every value of a binary number has exactly so many."""
_PIXEL_DESCRIPTION = frozenset({0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103})


def fits(vr: str, raw: bytes, values: list[Any]) -> bool:
    """Whether an element's bytes, and its values as they are rendered, have lengths that the VR allows."""
    if vr in BYTES:
        return len(raw) % BYTES[vr] == 0
    most = CHARACTERS.get(vr)
    if most is None:
        return True
    texts = [text for text in values if isinstance(text, str)]
    if vr == "PN":
        texts = [group for text in texts for group in text.split("=")]
    return all(len(text.strip()) <= most for text in texts)


def describes_pixels(tag: int) -> bool:
    """SamplesPerPixel, Rows, Columns, BitsAllocated, BitsStored, PixelRepresentation."""
    return tag in _PIXEL_DESCRIPTION
