"""Data sets to send, and a sender."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from local.sending.sender import keep_answers

_numbers = itertools.count(1)
SENDER = "1.2.826.0.1.3680043.10.1"
"""Not pynetdicom's: `association` sees to it that no answer comes too soon for it."""


def uid() -> str:
    """A new UID."""
    return str(generate_uid())


def instance(
    study: str | None = None,
    series: str | None = None,
    sop: str | None = None,
    *,
    modality: str = "CT",
    pixels: int = 512,
    sop_class: str = CTImageStorage,
    syntax: str = ExplicitVRLittleEndian,
    **elements: Any,
) -> Dataset:
    """A small instance; further elements by keyword."""
    ds = Dataset()
    ds.SOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = UID(sop or uid())
    ds.StudyInstanceUID = study or uid()
    ds.SeriesInstanceUID = series or uid()
    ds.Modality = modality
    ds.PatientID = "P-1"
    ds.PatientName = "Test^Marker"
    ds.InstanceNumber = next(_numbers)
    ds.Rows, ds.Columns, ds.BitsAllocated = 256 if pixels >= 2**16 else 1, 256, 16
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.PixelData = bytes(range(256)) * (pixels // 256)
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def series_of(count: int, study: str | None = None, **elements: Any) -> list[Dataset]:
    """Instances of one new series."""
    study, series = study or uid(), uid()
    return [instance(study, series, **elements) for _ in range(count)]


@contextmanager
def association(
    port: int,
    datasets: Iterable[Dataset] = (),
    *,
    calling_ae: str = "SENDER",
    called_ae: str = "DICOM-INGEST",
    syntaxes: list[str] | None = None,
    timeout: float = 30,
    implementation_class_uid: str = SENDER,
    **arguments: Any,
) -> Iterator[Association]:
    """An association to the edge, released at the end."""
    ae = ApplicationEntity(calling_ae)
    ae.implementation_class_uid = UID(implementation_class_uid)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = timeout
    ae.add_requested_context("1.2.840.10008.1.1")
    wanted = {(str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)) for ds in datasets}
    for sop_class, syntax in sorted(wanted):
        ae.add_requested_context(sop_class, syntaxes or [syntax])
    assoc = ae.associate("127.0.0.1", port, ae_title=called_ae, **arguments)
    keep_answers(assoc)
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def send(port: int, datasets: list[Dataset], **arguments: Any) -> list[int]:
    """Send all on one association; the statuses."""
    with association(port, datasets, **arguments) as assoc:
        assert assoc.is_established
        return [assoc.send_c_store(ds).Status for ds in datasets]


def echo(port: int) -> bool:
    """Whether the SCP answers C-ECHO."""
    with association(port, calling_ae="ECHO") as assoc:
        return bool(assoc.is_established and assoc.send_c_echo().Status == 0)


def encoded(ds: Dataset) -> bytes:
    """The data set as its transfer syntax encodes it, without file meta information."""
    syntax = ds.file_meta.TransferSyntaxUID
    found = encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert found is not None
    return bytes(found)
