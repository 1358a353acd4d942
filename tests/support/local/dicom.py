"""Small DICOM files for the tests of the local runtime's sender and demo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)


def instance(
    number: int,
    study: str,
    series: str,
    sop_class: str = CTImageStorage,
    syntax: str = ExplicitVRLittleEndian,
) -> pydicom.Dataset:
    """One slice of a phantom, 16 by 16."""
    ds = pydicom.Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = series
    ds.PatientID = "PHANTOM-1"
    ds.PatientName = "Phantom^Square"
    ds.Modality = "MR" if sop_class == MRImageStorage else "CT"
    ds.InstanceNumber = number
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = (np.arange(256, dtype=np.uint16) + number).tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def write_series(folder: Path, count: int, sop_class: str = CTImageStorage, study: str | None = None) -> str:
    """A series of `count` instances below the folder; the last one in another transfer syntax. Its UID."""
    study, series = study or generate_uid(), generate_uid()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        syntax = ImplicitVRLittleEndian if number == count else ExplicitVRLittleEndian
        ds = instance(number, study, series, sop_class, syntax)
        ds.save_as(folder / f"IM{number:04}.dcm", enforce_file_format=True)
    return series
