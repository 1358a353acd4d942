"""DICOM Part 10 files: read the header without the pixel data, and say why a file is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import DeflatedExplicitVRLittleEndian

from .metadata import PIXEL_DATA, Rendered, render

DEFER_BYTES = 1 << 16
UNDEFINED_LENGTH = 0xFFFFFFFF

REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
MAX_LENGTHS = {
    "PatientName": 256, "PatientID": 256, "PatientBirthDate": 18, "PatientSex": 16, "StudyInstanceUID": 256,
    "StudyID": 256, "StudyDescription": 256, "AccessionNumber": 256, "StudyDate": 18, "StudyTime": 28,
    "SOPInstanceUID": 256, "SeriesInstanceUID": 256,
}  # fmt: skip
MAX_NUMBERS = {"NumberOfStudyRelatedSeries": 1_000_000, "NumberOfStudyRelatedInstances": 1_000_000}
"""Developer guide, "DICOM element constraints"."""


class Refused(Exception):  # noqa: N818 - a verdict on a file, in the service's own words
    """A file is not imported: exception type and message go to failure.ndjson."""

    def __init__(self, message: str, exception_type: str = "ValidationException") -> None:
        super().__init__(message)
        self.message = message
        self.exception_type = exception_type


@dataclass
class Part10:
    """A readable file with everything HealthImaging requires."""

    dataset: Dataset
    file: BinaryIO
    rendered: Rendered
    transfer_syntax: str

    def attribute(self, keyword: str) -> str | None:
        """A patient, study, series or instance attribute without its padding."""
        value = self.rendered.get(keyword)
        return None if value is None else str(value).strip() or None

    def read_value(self, element: RawDataElement) -> bytes:
        """An element's bytes, also when reading them was put off."""
        return _read_value(self.file, element)

    @property
    def declared_frames(self) -> int:
        """NumberOfFrames; 1 where it is not given."""
        text = self.attribute("NumberOfFrames")
        return int(text) if text and text.isdecimal() else 1

    @property
    def has_pixel_data(self) -> bool:
        """Whether there is anything to extract frames from."""
        return any(tag in self.dataset for tag in PIXEL_DATA if tag > 0x7FE00002)


def read(file: BinaryIO) -> Part10:
    """Reads a file; raises Refused."""
    try:
        dataset = dcmread(file, defer_size=None if _is_deflated(file) else DEFER_BYTES)
        rendered = render(dataset, lambda element: _read_value(file, element))
    except Exception as error:  # arbitrary bytes: pydicom may raise anything, even LookupError for a codec
        raise Refused("DICOM attributes does not exist") from error
    transfer_syntax = rendered.instance.get("TransferSyntaxUID")
    if not transfer_syntax:
        raise Refused("DICOM attribute TransferSyntaxUID does not exist")
    part10 = Part10(dataset, file, rendered, str(transfer_syntax))
    _check(part10)
    return part10


def _is_deflated(file: BinaryIO) -> bool:
    """Offsets into a deflated data set mean nothing in the file, so nothing of it can be put off."""
    start = file.read(1024)
    file.seek(0)
    return DeflatedExplicitVRLittleEndian.encode() in start


def _read_value(file: BinaryIO, element: RawDataElement) -> bytes:
    if element.value is not None or element.length in (0, UNDEFINED_LENGTH):
        return bytes(element.value or b"")
    file.seek(element.value_tell)
    return file.read(element.length)


def _check(part10: Part10) -> None:
    for keyword in REQUIRED:
        if part10.attribute(keyword) is None:
            raise Refused(f"DICOM attribute {keyword} does not exist")
    for keyword, length in MAX_LENGTHS.items():
        if len(part10.attribute(keyword) or "") > length:
            raise Refused(f"DICOM attribute {keyword} exceeds the maximum length of {length}")
    for keyword, limit in MAX_NUMBERS.items():
        value = part10.attribute(keyword)
        if value is not None and value.lstrip("+-").isdecimal() and int(value) > limit:
            raise Refused(f"DICOM attribute {keyword} exceeds the maximum value of {limit}")
