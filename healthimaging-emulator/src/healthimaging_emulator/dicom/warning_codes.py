"""Reasons of warning.ndjson (developer guide, "Warning codes"; decimal codes as printed there)."""

from __future__ import annotations

from typing import Any

INVALID_DICOM_VALUE_LENGTH = (
    45571, "INVALID_DICOM_VALUE_LENGTH",
    "The file was imported but contains an element whose length does not fit its value representation.",
)  # fmt: skip
INVALID_UID_FORMAT = (45570, "INVALID_UID_FORMAT", "The file was imported but contains an invalid UID.")
FRAME_NUMBER_MISMATCH = (
    45329, "FRAME_NUMBER_MISMATCH",
    "The file was imported but its number of frames differs from its NumberOfFrames attribute: its frames"
    " cannot be retrieved.",
)  # fmt: skip
FRAMES_EXTRACTION_FAILURE = (
    45328, "FRAMES_EXTRACTION_FAILURE", "The file was imported but its frames could not be extracted.",
)  # fmt: skip
TRANSCODING_EXCEPTION = (
    45312, "TRANSCODING_EXCEPTION", "The file was imported but its pixel data could not be transcoded.",
)  # fmt: skip
UNSUPPORTED_TRANSFER_SYNTAX = (
    45344, "UNSUPPORTED_TRANSFER_SYNTAX", "The file was imported but its transfer syntax is not supported.",
)  # fmt: skip

Reason = tuple[int, str, str]


def render(reason: Reason) -> dict[str, Any]:
    """One entry of an importResponse's `warnings`."""
    code, kind, message = reason
    return {"warning_reason_code": code, "type": kind, "message": message}
