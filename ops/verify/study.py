"""A small study that `verify` sends: one series of a phantom."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from dicom_ingest.contracts.attributes import ATTRIBUTES

PIXELS = 64
"""A side: 4 kB an image."""


@dataclass(frozen=True)
class Image:
    """One instance, encoded once."""

    ds: Dataset
    part10: bytes

    @property
    def sop_instance_uid(self) -> str:
        """Its UID."""
        return str(self.ds.SOPInstanceUID)

    @property
    def file_sha256(self) -> str:
        """Of the whole file."""
        return hashlib.sha256(self.part10).hexdigest()

    @property
    def attributes(self) -> dict[str, Any]:
        """What a manifest says of its header."""
        wanted = {attribute.tag for attribute in ATTRIBUTES}
        found = self.ds.to_json_dict()
        return {tag: value for tag, value in found.items() if tag in wanted}


@dataclass(frozen=True)
class Study:
    """One series of so many images."""

    study_instance_uid: str
    series_instance_uid: str
    images: tuple[Image, ...]


def new_study(images: int) -> Study:
    """A study that was never sent before."""
    study, series = str(generate_uid()), str(generate_uid())
    return Study(study, series, tuple(_image(study, series, number) for number in range(1, images + 1)))


def _image(study: str, series: str, number: int) -> Image:
    now = datetime.now(timezone.utc)
    ds = Dataset()
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyDate, ds.StudyTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    ds.PatientName, ds.PatientID = "Verify^Phantom", "INGEST-VERIFY"
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "", "1", ""
    ds.StudyDescription, ds.SeriesDescription = "Verification of the ingest", "Phantom"
    ds.Modality, ds.ConversionType = "OT", "SYN"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    ds.Rows = ds.Columns = PIXELS
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = bytes((row * number + column) % 256 for row in range(PIXELS) for column in range(PIXELS))
    ds["PixelData"].VR = "OB"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    encoded = io.BytesIO()
    ds.save_as(encoded, enforce_file_format=True)
    return Image(ds, encoded.getvalue())
