"""What HealthImaging refuses or warns about, as far as a header tells: the one table of it.

The edge computes it from the header that it reads anyway, notes it in the manifest, and withholds nothing.
What only decoded pixels, or values within sequences, can tell is not foretold. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Consequence = Literal["refused", "warned"]
GUIDE = "https://docs.aws.amazon.com/healthimaging/latest/devguide/"
CONSTRAINTS = f"{GUIDE}dicom-element-constraints.html"
WARNINGS = f"{GUIDE}reference-warning-codes.html"
SYNTAXES = f"{GUIDE}supported-transfer-syntaxes.html"
QUOTAS = "https://docs.aws.amazon.com/general/latest/gr/healthimaging.html"


@dataclass(frozen=True)
class Rule:
    """`words` follow an attribute's name. `warning`: HealthImaging's reason code, decimal as on its page."""

    consequence: Consequence
    words: str
    source: str
    warning: int | None = None


RULES: Mapping[str, Rule] = {
    "over_maximum": Rule("refused", "is longer than HealthImaging takes", CONSTRAINTS),
    "number_over_maximum": Rule("refused", "is a larger number than HealthImaging takes", CONSTRAINTS),
    "not_a_number": Rule("refused", "describes the pixels and is not a number", CONSTRAINTS),
    "file_too_large": Rule("refused", "the file is larger than HealthImaging takes", QUOTAS),
    "value_length": Rule("warned", "has a length that its value representation forbids", WARNINGS, 45571),
    "uid_format": Rule("warned", "is not a valid UID", WARNINGS, 45570),
    "transfer_syntax": Rule("warned", "the transfer syntax is not supported", SYNTAXES, 45344),
    "no_frames": Rule("warned", "the header does not describe the pixel data", WARNINGS, 45328),
}
"""By the code in the manifest and in the index."""

MAX_FILE_BYTES = 10_000_000_000
MAX_CHARACTERS: Mapping[int, int] = {
    0x00080020: 18, 0x00080030: 28, 0x00080050: 256, 0x00081030: 256, 0x00100010: 256, 0x00100020: 256,
    0x00100030: 18, 0x00100040: 16, 0x00200010: 256,
}  # fmt: skip
"""By tag: StudyDate, StudyTime, AccessionNumber, StudyDescription, PatientName, PatientID, PatientBirthDate,
PatientSex, StudyID. The UIDs of the page cannot be as long: the edge takes 64 characters."""
MAX_NUMBER: Mapping[int, int] = {0x00201206: 1_000_000, 0x00201208: 1_000_000}
"""NumberOfStudyRelatedSeries, NumberOfStudyRelatedInstances."""
DESCRIBES_PIXELS = frozenset({0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103})
"""SamplesPerPixel, Rows, Columns, BitsAllocated, BitsStored, PixelRepresentation."""

CHARACTERS: Mapping[str, int] = {
    "AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10_240, "PN": 64,
    "SH": 16, "ST": 1_024, "TM": 14, "UI": 64,
}  # fmt: skip
"""The most characters of one value without padding; PN: of one component group (PS3.5 table 6.2-1)."""
BYTES: Mapping[str, int] = {
    "US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4,
}  # fmt: skip
"""Every value of a binary number has exactly this many."""

_COMPRESSED = "1.2.840.10008.1.2.4."
NATIVE = frozenset(
    {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
)
"""Transfer syntaxes whose pixel data is not compressed."""
SUPPORTED = NATIVE | {"1.2.840.10008.1.2.5"} | {
    _COMPRESSED + end
    for end in (
        "50", "51", "57", "70", "80", "81", "90", "91", "92", "93", "201", "202", "203", "112",
        "100", "100.1", "101", "101.1", "102", "102.1", "103", "103.1", "104", "104.1", "105", "105.1", "106",
        "106.1", "107", "108",
    )
}  # fmt: skip
"""Transfer syntaxes of which HealthImaging extracts the frames."""
