"""Which transfer syntaxes HealthImaging knows (developer guide, "Supported transfer syntaxes")."""

from __future__ import annotations

_JPEG = "1.2.840.10008.1.2.4."


def _family(*ends: str) -> frozenset[str]:
    return frozenset(_JPEG + end for end in ends)


VIDEO = _family(
    "100", "100.1", "101", "101.1", "102", "102.1", "103", "103.1", "104", "104.1", "105", "105.1", "106",
    "106.1", "107", "108",
)  # fmt: skip
"""One frame holds the whole stream."""

RETAINED = _family("50", "91", "203", "112") | VIDEO
"""Kept in their original encoding."""

NATIVE = frozenset(
    {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
)
"""Not compressed."""

RLE = "1.2.840.10008.1.2.5"
TRANSCODED = NATIVE | {RLE} | _family("51", "57", "70", "80", "81", "90", "92", "93", "201", "202")
"""Stored in the data store's lossless format."""

SUPPORTED = RETAINED | TRANSCODED

_CONTENT_TYPES = {
    "1.2.840.10008.1.2.1": "application/octet-stream",
    _JPEG + "50": "image/jpeg",
    _JPEG + "91": "image/j2c",
    _JPEG + "112": "image/jxl",
    _JPEG + "202": "image/jph",
    _JPEG + "203": "image/jphc",
    _JPEG + "107": "video/H256",
    _JPEG + "108": "video/H256",
}


def content_type(transfer_syntax: str) -> str:
    """GetImageFrame's contentType for a stored transfer syntax (service model, GetImageFrameResponse).

    The model names none for JPEG 2000 Lossless (.90): it has the default.
    """
    if transfer_syntax in _CONTENT_TYPES:
        return _CONTENT_TYPES[transfer_syntax]
    if transfer_syntax in _family("100", "100.1", "101", "101.1"):
        return "video/mpeg"
    return "video/mp4" if transfer_syntax in VIDEO else "application/octet-stream"
