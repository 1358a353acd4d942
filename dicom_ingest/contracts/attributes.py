"""The header attributes that the edge reads and the index keeps: one table for both.

`kind` is the column's type. A value that does not parse as it is kept as text in the row's `unparsed`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Level = Literal["patient", "study", "series", "instance"]
Kind = Literal["text", "texts", "date", "time", "integer", "number", "numbers", "sequence", "present"]


@dataclass(frozen=True)
class Attribute:
    """One data element: PS3.6 keyword, tag as eight hex digits, and the column's type."""

    keyword: str
    tag: str
    kind: Kind
    level: Level

    @cached_property
    def column(self) -> str:
        """The keyword in snake_case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.keyword).lower()


def _level(level: Level, *rows: tuple[str, str, Kind]) -> tuple[Attribute, ...]:
    return tuple(Attribute(keyword, tag, kind, level) for tag, keyword, kind in rows)


PATIENT = _level(
    "patient",
    ("00100010", "PatientName", "text"),
    ("00100020", "PatientID", "text"),
    ("00100021", "IssuerOfPatientID", "text"),
    ("00100030", "PatientBirthDate", "date"),
    ("00100040", "PatientSex", "text"),
)

STUDY = _level(
    "study",
    ("00080050", "AccessionNumber", "text"),
    ("00080051", "IssuerOfAccessionNumberSequence", "sequence"),
    ("00200010", "StudyID", "text"),
    ("00080020", "StudyDate", "date"),
    ("00080030", "StudyTime", "time"),
    ("00081030", "StudyDescription", "text"),
    ("00080090", "ReferringPhysicianName", "text"),
    ("0008009C", "ConsultingPhysicianName", "texts"),
    ("00081060", "NameOfPhysiciansReadingStudy", "texts"),
    ("00081032", "ProcedureCodeSequence", "sequence"),
    ("00321033", "RequestingService", "text"),
    ("00080005", "SpecificCharacterSet", "texts"),
)
"""ModalitiesInStudy (0008,0061) is not read but computed from the rows of the study's series."""

SERIES = _level(
    "series",
    ("00080060", "Modality", "text"),
    ("00200011", "SeriesNumber", "integer"),
    ("00080021", "SeriesDate", "date"),
    ("00080031", "SeriesTime", "time"),
    ("0008103E", "SeriesDescription", "text"),
    ("0008103F", "SeriesDescriptionCodeSequence", "sequence"),
    ("00080015", "InstanceCoercionDateTime", "text"),
    ("00081050", "PerformingPhysicianName", "texts"),
    ("00081052", "PerformingPhysicianIdentificationSequence", "sequence"),
    ("00102210", "AnatomicalOrientationType", "text"),
    ("00180015", "BodyPartExamined", "text"),
    ("00181030", "ProtocolName", "text"),
    ("00185100", "PatientPosition", "text"),
    ("00080070", "Manufacturer", "text"),
    ("00081090", "ManufacturerModelName", "text"),
    ("00081010", "StationName", "text"),
)

INSTANCE = _level(
    "instance",
    ("00200013", "InstanceNumber", "integer"),
    ("00080012", "InstanceCreationDate", "date"),
    ("00080013", "InstanceCreationTime", "time"),
    ("00080008", "ImageType", "texts"),
    ("00200037", "ImageOrientationPatient", "numbers"),
    ("00200032", "ImagePositionPatient", "numbers"),
    ("00080022", "AcquisitionDate", "date"),
    ("00080032", "AcquisitionTime", "time"),
    ("00080023", "ContentDate", "date"),
    ("00200012", "AcquisitionNumber", "integer"),
    ("00082218", "AnatomicRegionSequence", "sequence"),
    ("00200020", "PatientOrientation", "texts"),
    ("00204000", "ImageComments", "text"),
    ("00280301", "BurnedInAnnotation", "text"),
    ("00280302", "RecognizableVisualFeatures", "text"),
    ("20500020", "PresentationLUTShape", "text"),
    ("00880200", "IconImageSequence", "present"),
    ("00280002", "SamplesPerPixel", "integer"),
    ("00280004", "PhotometricInterpretation", "text"),
    ("00280008", "NumberOfFrames", "integer"),
    ("00280010", "Rows", "integer"),
    ("00280011", "Columns", "integer"),
    ("00280100", "BitsAllocated", "integer"),
    ("00280102", "HighBit", "integer"),
    ("00280103", "PixelRepresentation", "integer"),
    ("00281052", "RescaleIntercept", "number"),
    ("00281053", "RescaleSlope", "number"),
)

ATTRIBUTES = PATIENT + STUDY + SERIES + INSTANCE
BY_KEYWORD = {attribute.keyword: attribute for attribute in ATTRIBUTES}
