"""What is sent: a data set of each kind, its SOP Instance UID written anew for every instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    UltrasoundMultiFrameImageStorage,
)
from pynetdicom.dsutils import encode

from dcmdata.generate.load import write_ct_series
from dcmdata.generate.sr import write_sr_series

MARK = "2.25.111111111111111111111111111111111111111"
"""The SOP Instance UID in a template; `numbered` writes others of the same length over it."""
COUNT = "120913"
"""What counts instances in a template: numbers and times, which differ from one to the next."""
COUNTS = ("InstanceNumber", "AcquisitionNumber", "AcquisitionTime", "ContentTime")
REPORT_BYTES = 17_000


@dataclass(frozen=True)
class Corpus:
    """`instances`: so many that storescp takes about half a second."""

    name: str
    instances: int
    make: Callable[[], Dataset]


@dataclass(frozen=True)
class Template:
    """An encoded data set on disk."""

    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str
    bytes: int


def numbered(number: int) -> bytes:
    """A SOP Instance UID as long as MARK."""
    return f"2.25.1{number:038d}".encode("ascii")


def counted(number: int) -> bytes:
    """A number, or a time, as long as COUNT."""
    return f"{number % 10 ** len(COUNT):06d}".encode("ascii")


def write_template(corpus: Corpus, folder: Path) -> Template:
    """The corpus's data set as it goes over the wire (no file meta information), in a file."""
    ds = corpus.make()
    ds.SOPInstanceUID = MARK
    for keyword in COUNTS:
        setattr(ds, keyword, COUNT)
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    content = encode(ds, syntax.is_implicit_VR, syntax.is_little_endian)
    if content is None or content.count(MARK.encode()) != 1 or content.count(COUNT.encode()) != len(COUNTS):
        raise ValueError(f"{corpus.name}: the data set cannot be encoded, or has a mark too many")
    path = folder / f"{corpus.name}.dataset"
    path.write_bytes(content)
    return Template(path, str(ds.SOPClassUID), str(syntax), len(content))


def _ct(matrix: int = 512) -> Dataset:
    with TemporaryDirectory() as folder:
        return dcmread(write_ct_series(Path(folder), slices=1, matrix=matrix)[0])


def _image(sop_class: str, modality: str, rows: int, columns: int, frames: int = 1) -> Dataset:
    """The header of a CT slice around other pixels."""
    ds = _ct(matrix=16)
    ds.SOPClassUID, ds.Modality, ds.Rows, ds.Columns = UID(sop_class), modality, rows, columns
    if frames > 1:
        ds.NumberOfFrames = frames
    noise = np.random.default_rng(7).integers(0, 4096, (rows, columns), dtype="<u2")
    ds.PixelData = noise.tobytes() * frames
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _j2k() -> Dataset:
    ds = _ct()
    ds.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    return ds


def _report() -> Dataset:
    with TemporaryDirectory() as folder:
        ds = dcmread(write_sr_series(Path(folder))[0])
    section = ds.ContentSequence[0].ContentSequence
    finding = section[0]
    for _ in range(REPORT_BYTES // 200):
        section.append(finding)
    return ds


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus("ct", 800, _ct),
        Corpus("mr", 1200, lambda: _image(MRImageStorage, "MR", 256, 256)),
        Corpus("dx", 32, lambda: _image(DigitalXRayImageStorageForPresentation, "DX", 2800, 2750)),
        Corpus("mf", 6, lambda: _image(UltrasoundMultiFrameImageStorage, "US", 512, 512, frames=300)),
        Corpus("sr", 4000, _report),
        Corpus("j2k", 640, _j2k),
    )
}
