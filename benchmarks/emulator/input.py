"""An S3 whose objects are made when they are read, so that only the emulator's time and memory count."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy
from pydicom import FileDataset, dcmread
from pydicom.uid import UID

SLICE = Path(__file__).parents[2] / "dcmdata/ct-torso/2-axial-soft-tissue"
INSTANCE = UID("1.2.826.0.1.3680043.10.99.100000")
SERIES = UID("1.2.826.0.1.3680043.10.99.2")
SERIES_OF_A_STUDY = UID("1.2.826.0.1.3680043.10.99.400000")
STUDY = UID("1.2.826.0.1.3680043.10.99.300000")
PATIENT = "PAT-000000"
FILES = 5_000


class GeneratedS3:
    """A bucket whose objects are made on demand; keeps what is put."""

    def __init__(self, sizes: list[int], make: Callable[[int], BinaryIO]) -> None:
        self._make = make
        self.sizes = sizes
        self.put: dict[str, bytes] = {}

    def get_paginator(self, _name: str) -> GeneratedS3:
        return self

    @property
    def prefixes(self) -> list[str]:
        """One for each import: HealthImaging takes 5,000 files at once."""
        return sorted({_key(n)[:2] for n in range(len(self.sizes))})

    def paginate(self, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's name
        listed = [{"Key": _key(n), "Size": size} for n, size in enumerate(self.sizes)]
        yield {"Contents": [each for each in listed if str(each["Key"]).startswith(Prefix)]}

    def head_bucket(self, **_: Any) -> None:
        """The bucket exists."""

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Body": self._make(int(Key[2:8]))}

    def put_object(self, Key: str, Body: Any, **_: Any) -> None:  # noqa: N803 - boto3's names
        self.put[Key] = Body if isinstance(Body, bytes) else Body.read()


def _key(n: int) -> str:
    return f"{'ab'[n // FILES]}/{n:06}.dcm"


def ct_series(count: int, side: int = 512) -> GeneratedS3:
    """A series of this many CT images of `side` x `side` pixels, not compressed."""
    raw = _written(_ct_image(side))
    return GeneratedS3(
        [len(raw)] * count,
        lambda n: io.BytesIO(raw.replace(INSTANCE.encode(), f"{INSTANCE[:-6]}1{n:05}".encode())),
    )


def studies(count: int, side: int = 16) -> GeneratedS3:
    """This many patients with a study of one small CT image each."""
    image = _ct_image(side)
    image.StudyInstanceUID, image.PatientID, image.AccessionNumber = STUDY, PATIENT, PATIENT
    image.SeriesInstanceUID = SERIES_OF_A_STUDY
    raw = _written(image)

    def make(n: int) -> BinaryIO:
        names: dict[str, str] = {
            STUDY: f"{STUDY[:-6]}3{n:05}",
            SERIES_OF_A_STUDY: f"{SERIES_OF_A_STUDY[:-6]}4{n:05}",
        }
        names |= {INSTANCE: f"{INSTANCE[:-6]}1{n:05}", PATIENT: f"PAT-{n:06}"}
        content = raw
        for old, new in names.items():
            content = content.replace(old.encode(), new.encode())
        return io.BytesIO(content)

    return GeneratedS3([len(raw)] * count, make)


def multi_frame(count: int, side: int = 512) -> GeneratedS3:
    """One instance of this many frames, on disk."""
    image = _ct_image(side)
    frame = image.PixelData
    image.NumberOfFrames = str(count)
    header = _written(image)
    start = header.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - lives as long as the process
    file.write(header[:start] + (len(frame) * count).to_bytes(4, "little"))
    for _ in range(count):
        file.write(frame)
    file.flush()
    return GeneratedS3([file.tell()], lambda _: Path(file.name).open("rb"))


def _ct_image(side: int) -> FileDataset:
    image = dcmread(min(SLICE.glob("*.dcm")))
    pixels = image.pixel_array
    times = -(-side // pixels.shape[0])
    larger = numpy.kron(pixels, numpy.ones((times, times), pixels.dtype))[:side, :side]
    noise = numpy.random.default_rng(1).integers(
        0, 16, larger.shape
    )  # or enlarging would be too easy a picture
    image.Rows = image.Columns = side
    image.PixelData = (larger + noise).astype(pixels.dtype).tobytes()
    image["PixelData"].VR = "OW"
    image.SOPInstanceUID, image.SeriesInstanceUID = INSTANCE, SERIES
    image.file_meta.MediaStorageSOPInstanceUID = INSTANCE
    return image


def _written(image: FileDataset) -> bytes:
    buffer = io.BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
