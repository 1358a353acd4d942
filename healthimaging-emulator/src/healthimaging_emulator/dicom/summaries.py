"""What SearchImageSets shows of an image set: the DICOMTags of its normalised levels."""

from __future__ import annotations

from typing import Any

Levels = dict[str, dict[str, Any]]

_TAGS = {
    "DICOMPatientId": ("Patient", "PatientID"),
    "DICOMPatientName": ("Patient", "PatientName"),
    "DICOMPatientBirthDate": ("Patient", "PatientBirthDate"),
    "DICOMPatientSex": ("Patient", "PatientSex"),
    "DICOMStudyInstanceUID": ("Study", "StudyInstanceUID"),
    "DICOMStudyId": ("Study", "StudyID"),
    "DICOMStudyDescription": ("Study", "StudyDescription"),
    "DICOMAccessionNumber": ("Study", "AccessionNumber"),
    "DICOMStudyDate": ("Study", "StudyDate"),
    "DICOMStudyTime": ("Study", "StudyTime"),
    "DICOMSeriesInstanceUID": ("Series", "SeriesInstanceUID"),
    "DICOMSeriesModality": ("Series", "Modality"),
    "DICOMSeriesBodyPart": ("Series", "BodyPartExamined"),
}


def dicom_tags(levels: Levels) -> dict[str, Any]:
    """The tags, null where a value is empty; numbers of series and instances are counted when searched."""
    found: dict[str, Any] = {}
    for name, (level, keyword) in _TAGS.items():
        value = levels[level].get(keyword)
        found[name] = (isinstance(value, str) and value.strip()) or None
    number = str(levels["Series"].get("SeriesNumber") or "").strip()
    found["DICOMSeriesNumber"] = int(number) if number.lstrip("+-").isdecimal() else None
    return found


def study_moment(levels: Levels) -> str:
    """StudyDate and StudyTime as one sortable string; empty without a date."""
    date = str(levels["Study"].get("StudyDate") or "").strip()
    return moment(date, str(levels["Study"].get("StudyTime") or "").strip()) if date else ""


def moment(date: str, time: str) -> str:
    """DA and TM values (shortened or in their old forms, too) as yyyymmddhhmmssffffff."""
    whole, _, fraction = time.replace(":", "").partition(".")
    return f"{date.replace('.', '')}{whole:0<6}{fraction:0<6}"
