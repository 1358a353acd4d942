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


class GeneratedS3:
    """A bucket whose objects are made on demand; keeps what is put."""

    def __init__(self, sizes: list[int], make: Callable[[int], BinaryIO]) -> None:
        self._make = make
        self.sizes = sizes
        self.put: dict[str, bytes] = {}

    def get_paginator(self, _name: str) -> GeneratedS3:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": f"a/{n:06}.dcm", "Size": size} for n, size in enumerate(self.sizes)]}

    def head_bucket(self, **_: Any) -> None:
        """The bucket exists."""

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Body": self._make(int(Key[2:8]))}

    def put_object(self, Key: str, Body: Any, **_: Any) -> None:  # noqa: N803 - boto3's names
        self.put[Key] = Body if isinstance(Body, bytes) else Body.read()


def ct_series(count: int, side: int = 512) -> GeneratedS3:
    """A series of this many CT images of `side` x `side` pixels, not compressed."""
    raw = _written(_ct_image(side))
    return GeneratedS3(
        [len(raw)] * count,
        lambda n: io.BytesIO(raw.replace(INSTANCE.encode(), f"{INSTANCE[:-6]}1{n:05}".encode())),
    )


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
